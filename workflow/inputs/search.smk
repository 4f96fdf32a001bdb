# What the rules of search.smk ask of the plan.
from clipfair.plan.own_code import job_code
from clipfair.plan.search_jobs import search_job


def get_search_settings(wildcards):
    return search_job(PLAN, wildcards.search).settings


def get_search_table(wildcards):
    return search_job(PLAN, wildcards.search).training.table


def get_search_raw(wildcards):
    return search_job(PLAN, wildcards.search).training.raw


def get_search_raw_contents(wildcards):
    return paths.contents_of(get_search_raw(wildcards))


def get_search_weights(wildcards):
    return search_job(PLAN, wildcards.search).training.weights


def get_search_journal(wildcards):
    return search_job(PLAN, wildcards.search).journal


def get_search_scratch(wildcards):
    return search_job(PLAN, wildcards.search).scratch_of(wildcards.part)


def get_search_data(wildcards):
    return search_job(PLAN, wildcards.search).training.data


def get_search_parts(wildcards):
    return search_job(PLAN, wildcards.search).parts


def get_search_code(wildcards):
    job = search_job(PLAN, wildcards.search).training
    modules = ["clipfair.train.search.run", "clipfair.train.run", *job.modules]
    return job_code(*modules, own=job.own)


def get_search_threads(wildcards):
    return search_job(PLAN, wildcards.search).training.recipe.threads


def get_search_gpus(wildcards):
    return search_job(PLAN, wildcards.search).training.recipe.gpus
