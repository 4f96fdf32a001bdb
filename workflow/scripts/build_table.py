"""build_table: one table of a paper from the records of mitigations, compared with the published one."""

from importlib import import_module

from clipfair.core.errors import job_log
from clipfair.core.provenance import write_spec
from clipfair.tables.common.table_files import write_comparison, write_page, write_table

with job_log(snakemake.log[0]):
    params = snakemake.params
    builder = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{params.settings['builder']}")
    [published] = snakemake.input.published
    table, compared, page = builder.build(snakemake.input.records, published, params.settings)
    write_table(snakemake.output.csv, table, params.data)
    write_comparison(snakemake.output.compare, compared, params.data)
    write_page(snakemake.output.markdown, page, params.data, params.notes)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=params.code,
        settings=params.settings,
        inputs={path: path for path in snakemake.input.records},
    )
