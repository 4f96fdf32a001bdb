"""publish_predictions: the scores of every evaluated run of the study, in few bytes."""

from clipfair.core.errors import job_log
from clipfair.tables.common.predictions import publish_predictions

with job_log(snakemake.log[0]):
    publish_predictions(snakemake.input.folders, snakemake.output.folder)
