"""render_pages: every table's page as HTML for the report."""

from clipfair.console import job_log
from clipfair.tables.html import write_pages

with job_log(snakemake.log[0]):
    write_pages(snakemake.input, snakemake.output[0])
