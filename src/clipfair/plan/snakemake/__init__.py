"""Additions to Snakemake: recovery after a crash, outdated outputs, the progress view."""
