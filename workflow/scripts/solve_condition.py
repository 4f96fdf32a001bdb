"""solve_condition: the rule by which a condition weighs examples, from the counts of all groups of shards."""

from clipfair.balance.conditions import solve_condition
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    balance = snakemake.params.balance
    solve_condition(
        snakemake.input.counts,
        snakemake.input.similarity,
        kind=balance["kind"],
        settings=balance["settings"],
        solved_path=snakemake.output[0],
    )
