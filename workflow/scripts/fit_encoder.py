"""fit_encoder: the linear encoder of an annotation, from the pairs of its first shards."""

from clipfair.annotate.encoders.linear import fit_encoder
from clipfair.core.errors import job_log
from clipfair.data.shards import find_shards

with job_log(snakemake.log[0]):
    annotation = snakemake.params.annotation
    shards = find_shards(snakemake.input.raw)
    fit_encoder(
        shards[: annotation["encoder"]["fit_shards"]],
        snakemake.output[0],
        max_bad_share=annotation["max_bad_share"],
    )
