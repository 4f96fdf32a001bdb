"""build_table: one table of a paper from the evaluation records, beside the published one."""

from importlib import import_module

from clipfair.core.errors import job_log
from clipfair.core.io import write_csv, write_text
from clipfair.core.provenance import write_spec

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    builder = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{settings['builder']}")
    table, compared, page = builder.build(snakemake.input.records, snakemake.input.published, settings)
    write_csv(snakemake.output.csv, table)
    write_csv(snakemake.output.compare, compared)
    write_text(snakemake.output.markdown, page)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={path: path for path in snakemake.input.records},
    )
