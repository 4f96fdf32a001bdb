"""annotate_captions: the attributes that the captions of a prepared table mention."""

from clipfair.annotate.captions import annotate_table
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    annotate_table(
        snakemake.input.table,
        snakemake.output[0],
        vocabularies=[load_vocabulary(path) for path in snakemake.input.vocabularies],
    )
