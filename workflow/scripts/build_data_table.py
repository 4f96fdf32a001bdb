"""build_data_table: one table about the data, for which the paper prints no numbers."""

from importlib import import_module
from pathlib import Path

from clipfair.core.errors import job_log
from clipfair.core.io import write_csv, write_text
from clipfair.core.provenance import write_spec
from clipfair.tables.common.page import with_notes

with job_log(snakemake.log[0]):
    builder = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{snakemake.params.builder}")
    table, page = builder.build(**snakemake.params.arguments)
    write_csv(snakemake.output.csv, table)
    write_text(snakemake.output.markdown, with_notes(page, snakemake.params.notes))
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=snakemake.params.arguments,
        inputs={path: path for path in snakemake.input if Path(path).is_file()},
    )
