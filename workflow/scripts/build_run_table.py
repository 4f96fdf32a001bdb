"""build_run_table: one table from the evaluations of trained models; the paper prints no numbers for it."""

from importlib import import_module

from clipfair.core.errors import job_log
from clipfair.core.io import write_csv, write_text
from clipfair.core.provenance import write_spec
from clipfair.tables.common.page import with_notes
from clipfair.tables.common.records import read_records

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    builder = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{settings['builder']}")
    told = settings | {"epochs": snakemake.params.epochs}
    table, _, page = builder.build(read_records(snakemake.input.records), None, told)
    write_csv(snakemake.output.csv, table)
    write_text(snakemake.output.markdown, with_notes(page, settings["notes"]))
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={spec: spec for spec in snakemake.input.specs},
    )
