# What the rules of tabular.smk ask of the plan.
from clipfair.core.code_digest import code_digest
from clipfair.plan.tabular_jobs import tabular_job


def get_prepared_table(wildcards):
    return PLAN.prepared_of(wildcards.dataset)


def get_mitigation_settings(wildcards):
    return tabular_job(PLAN, get_run(wildcards)).settings


def get_mitigation_code(wildcards):
    kind = tabular_job(PLAN, get_run(wildcards)).kind
    return code_digest("clipfair.tabular.run", f"clipfair.tabular.methods.{kind}")


def get_mitigation_priority(wildcards):
    return tabular_job(PLAN, get_run(wildcards)).priority
