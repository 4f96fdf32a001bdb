"""rewrite_shard: the captions of one shard with gender-neutral words."""

from pathlib import Path

from clipfair.annotate.neutral import rewrite_shard
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    rewrite_shard(
        Path(snakemake.input.raw, f"shards/{snakemake.wildcards.shard}.tar"),
        snakemake.output[0],
        replacements=load_vocabulary(snakemake.input.replacements),
        max_bad_share=snakemake.params.annotation["max_bad_share"],
    )
