"""measure_annotation: how well annotations and similarities agree with the known truth."""

from pathlib import Path

from clipfair.annotate.quality import quality_of
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    annotator = snakemake.params.annotation["annotator"]
    quality_of(
        snakemake.input.annotations,
        Path(snakemake.input.raw, annotator["labels"]),
        snakemake.output[0],
        group="gender",
        mismatched="mismatched",
        categories=annotator["categories"],
        flags=annotator["flags"],
    )
