# What the rules of tables.smk ask of the plan.
from clipfair.core.code_digest import code_digest
from clipfair.plan.table_jobs import table_job, tables_reading


def get_table(wildcards):
    return table_job(PLAN, f"{wildcards.paper}/{wildcards.table}")


def get_data_kind(wildcards):
    return get_table(wildcards).data


def get_table_notes(wildcards):
    return get_table(wildcards).notes


def get_published(wildcards):
    return [str(ROOT / file) for file in get_table(wildcards).published]


def get_records(wildcards):
    return get_table(wildcards).records


def get_table_settings(wildcards):
    return get_table(wildcards).settings


def get_builder_code(wildcards):
    return get_table(wildcards).code


def get_published_tables():
    return paths.table_pattern(tables_reading(PLAN, "tabular"))


def get_data_tables():
    return paths.table_pattern(tables_reading(PLAN, "data"))


def get_run_tables():
    return paths.table_pattern(tables_reading(PLAN, "trained"))


def get_data_table_inputs(wildcards):
    return get_table(wildcards).inputs


def get_data_table_raw(wildcards):
    return get_table(wildcards).raw


def get_data_table_arguments(wildcards):
    return get_table(wildcards).arguments


def get_data_table_builder(wildcards):
    return get_table(wildcards).builder


def get_run_specs(wildcards):
    return get_table(wildcards).specs


def get_run_epochs_by_key(wildcards):
    return get_table(wildcards).epochs


def get_run_epochs(wildcards):
    return list(get_table(wildcards).epochs.values())


def get_figure_data(wildcards):
    return f"{paths.TABLE}{get_table(wildcards).drawn_file}"


def get_figure(wildcards):
    return get_table(wildcards).figure


def get_figure_code(wildcards):
    return code_digest(
        "clipfair.tables.common.figure_files",
        f"clipfair.tables.{wildcards.paper}.{get_figure(wildcards)}_figure",
    )
