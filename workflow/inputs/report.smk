# What the rules of report.smk ask of the plan.
from clipfair.plan.evaluation_jobs import predicted_folders
from clipfair.plan.targets import PAPERS, compared_tables


def get_pages():
    return PLAN.table_files(".md", PLAN.tables)


def get_compared_names():
    return compared_tables(PLAN)


def get_compared_files():
    return PLAN.table_files(".compare.csv", compared_tables(PLAN))


def get_predicted_folders():
    return predicted_folders(PLAN)


def get_predicted_specs():
    return [f"{folder}{paths.FOLDER_SPEC}" for folder in predicted_folders(PLAN)]


def get_table_labels(wildcards):
    return {"table": wildcards.table, "data": get_data_kind(wildcards)}


def get_figure_labels(wildcards):
    return {"figure": wildcards.table, "data": get_data_kind(wildcards)}


def get_paper_title(wildcards):
    return PAPERS[wildcards.paper]
