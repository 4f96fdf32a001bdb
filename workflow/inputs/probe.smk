# What the rules of probe.smk ask of the plan.
from clipfair.plan.evaluation_jobs import probe_job


def get_probes(wildcards):
    return probe_job(PLAN, get_run(wildcards)).evaluations


def get_probed_tables(wildcards):
    return probe_job(PLAN, get_run(wildcards)).tables


def get_probed_raw(wildcards):
    return probe_job(PLAN, get_run(wildcards)).raw


def get_probed_raw_contents(wildcards):
    return [paths.contents_of(raw) for raw in get_probed_raw(wildcards)]


def get_probed_parts(wildcards):
    return probe_job(PLAN, get_run(wildcards)).parts


def get_probed_files(wildcards):
    return probe_job(PLAN, get_run(wildcards)).files


def get_probe_threads(wildcards):
    return probe_job(PLAN, get_run(wildcards)).threads


def get_probe_gpus(wildcards):
    return probe_job(PLAN, get_run(wildcards)).gpus
