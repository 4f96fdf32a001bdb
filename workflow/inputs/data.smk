# What the rules of data.smk ask of the plan.
from clipfair.core.code_digest import code_digest
from clipfair.data.prepare import find_loader
from clipfair.plan.data_jobs import fetched_datasets, generated_datasets, generated_settings
from clipfair.plan.data_jobs import loader_settings


def get_source(wildcards):
    return PLAN.datasets[wildcards.dataset].source_digest


def get_fetched_datasets():
    return fetched_datasets(PLAN)


def get_generated_datasets():
    return generated_datasets(PLAN)


def get_generated(wildcards):
    return generated_settings(PLAN, wildcards.dataset)


def get_subset(wildcards):
    return wildcards.dataset in PLAN.configuration.subset


def get_loader_settings(wildcards):
    return loader_settings(PLAN, wildcards.dataset)


def get_loader_code(wildcards):
    return code_digest("clipfair.data.prepare", find_loader(PLAN.datasets[wildcards.dataset]))
