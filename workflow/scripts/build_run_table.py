"""build_run_table: one table from the evaluations of trained models, compared with a published one if any."""

from importlib import import_module

from clipfair.core.errors import job_log
from clipfair.core.provenance import write_spec
from clipfair.tables.common.compare import read_published
from clipfair.tables.common.records import read_records
from clipfair.tables.common.table_files import write_comparison, write_page, write_table

with job_log(snakemake.log[0]):
    params = snakemake.params
    settings = params.settings | {"epochs": params.epochs}
    builder = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{settings['builder']}")
    published = [read_published(path, settings["published"]) for path in snakemake.input.published]
    records = read_records(snakemake.input.records)
    table, compared, page = builder.build(records, published[0] if published else None, settings)
    write_table(snakemake.output.csv, table, params.data)
    write_comparison(snakemake.output.compare, compared, params.data)
    write_page(snakemake.output.markdown, page, params.data, params.notes)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=params.code,
        settings=params.settings,
        inputs={spec: spec for spec in snakemake.input.specs},
    )
