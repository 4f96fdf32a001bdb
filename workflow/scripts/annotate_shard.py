"""annotate_shard: the attributes of every pair of one shard, for each modality separately."""

from clipfair.annotate.encoders import load_encoder
from clipfair.annotate.image import load_annotator
from clipfair.annotate.shards import annotate_shard
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.data.shards import find_shard

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    annotation = snakemake.params.annotation
    annotate_shard(
        find_shard(snakemake.input.raw, snakemake.wildcards.shard),
        snakemake.output.annotations,
        vocabularies=[load_vocabulary(path) for path in snakemake.input.vocabularies],
        encoder=load_encoder(annotation["encoder"], snakemake.input.encoder),
        annotators=[load_annotator(snakemake.input.annotator)],
        max_bad_share=annotation["max_bad_share"],
    )
