"""gather_metrics: every compared table of the study in one JSON for DVC."""

from clipfair.core.errors import job_log
from clipfair.core.io import write_json
from clipfair.tables.common.metrics_summary import summarise_comparisons

with job_log(snakemake.log[0]):
    parts = dict(zip(snakemake.params.tables, snakemake.input, strict=True))
    write_json(snakemake.output[0], summarise_comparisons(parts))
