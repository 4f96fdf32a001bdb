"""fit_encoder: the linear encoder of an annotation, from the pairs of its first shards."""

from clipfair.annotate.encoders import fit_encoder
from clipfair.annotate.shards import shard_paths
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    annotation = snakemake.params.annotation
    shards = shard_paths(snakemake.input.raw, annotation["shards"])
    fit_encoder(
        shards[: annotation["encoder"]["fit_shards"]],
        snakemake.output[0],
        max_bad_share=annotation["max_bad_share"],
    )
