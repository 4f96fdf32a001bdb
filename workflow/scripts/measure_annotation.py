"""measure_annotation: quality of annotations and similarities against known labels."""

from pathlib import Path

from clipfair.annotate.quality import measure_quality
from clipfair.core.errors import job_log

with job_log(snakemake.log[0]):
    annotator = snakemake.params.annotation["annotator"]
    measure_quality(
        snakemake.input.annotations,
        Path(snakemake.input.raw, annotator["labels"]),
        snakemake.output[0],
        group="gender",
        mismatched="mismatched",
        categories=annotator["categories"],
        flags=annotator["flags"],
    )
