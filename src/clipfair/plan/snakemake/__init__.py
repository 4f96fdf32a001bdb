"""Additions to Snakemake: recovery after a crash, outdated outputs, resources of jobs."""
