"""sample_shards: the keep-list of a condition in a group of shards."""

from clipfair.balance.conditions import SampledGroup, sample_group
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    sample_group(
        SampledGroup(snakemake.input.annotations, *snakemake.output),
        solved_path=snakemake.input.solved[0],
        seed=snakemake.params.balance["seed"],
        rewritten=snakemake.input.rewritten or None,
        within=next(iter(snakemake.input.within), None),
    )
