"""count_patterns: the pattern counts of a condition in a group of shards."""

from clipfair.balance.conditions import count_group
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    balance = snakemake.params.balance
    count_group(
        snakemake.input.annotations,
        kind=balance["kind"],
        settings=balance["settings"],
        counts_path=snakemake.output.counts,
        similarity_path=snakemake.output.similarity,
        within=next(iter(snakemake.input.within), None),
    )
