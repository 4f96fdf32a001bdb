"""render_pages: every table's page, and its values beside the published ones, as HTML for the report."""

from pathlib import Path

from clipfair.core.errors import job_log
from clipfair.tables.common.report_pages import write_comparisons, write_pages

with job_log(snakemake.log[0]):
    for folder in snakemake.output:
        Path(folder).mkdir(parents=True)
    write_pages(snakemake.input.pages, snakemake.output.pages)
    write_comparisons(snakemake.input.compared, snakemake.output.compared)
