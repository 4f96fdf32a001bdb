"""rewrite_shard: the captions of one shard with gender-neutral words."""

from clipfair.annotate.neutral import rewrite_shard
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import job_log
from clipfair.data.shards import find_shard

with job_log(snakemake.log[0]):
    rewrite_shard(
        find_shard(snakemake.input.raw, snakemake.wildcards.shard),
        snakemake.output[0],
        replacements=load_vocabulary(snakemake.input.replacements),
        max_bad_share=snakemake.params.annotation["max_bad_share"],
    )
