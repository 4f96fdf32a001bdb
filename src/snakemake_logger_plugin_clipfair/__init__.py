"""Snakemake's logger plugin ``clipfair``: Snakemake finds plugins by the names of their packages."""

from clipfair.plan.snakemake.progress_view import LogHandler

__all__ = ["LogHandler"]
