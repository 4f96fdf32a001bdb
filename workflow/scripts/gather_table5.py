"""gather_table5: every paper's Table 5 of the study in one tidy file."""

from pathlib import Path

from clipfair.core.errors import job_log
from clipfair.core.io import write_csv
from clipfair.tables.common.table5 import gather_table5

with job_log(snakemake.log[0]):
    parts = {Path(path).parent.name: path for path in snakemake.input}
    write_csv(snakemake.output[0], gather_table5(parts, snakemake.params.study))
