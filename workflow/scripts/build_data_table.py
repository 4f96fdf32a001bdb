"""build_data_table: one table about the data, for which the paper prints no numbers."""

from importlib import import_module
from pathlib import Path

from clipfair.core.errors import job_log
from clipfair.core.provenance import write_spec
from clipfair.tables.common.table_files import write_page, write_table

with job_log(snakemake.log[0]):
    params = snakemake.params
    builder = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{params.builder}")
    table, page = builder.build(**params.arguments)
    write_table(snakemake.output.csv, table, params.data)
    write_page(snakemake.output.markdown, page, params.data, params.notes)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=params.code,
        settings=params.arguments,
        inputs={path: path for path in snakemake.input if Path(path).is_file()},
    )
