# What the rules of balance.smk ask of the plan.
from clipfair.plan.data_jobs import condition_job


def get_rewritten(wildcards):
    return get_condition(wildcards).rewritten


def get_condition(wildcards):
    return condition_job(PLAN, wildcards.dataset, wildcards.balance)


def get_group_annotations(wildcards):
    job = get_condition(wildcards)
    return job.of_group(job.annotations, wildcards.group)


def get_group_rewritten(wildcards):
    job = get_condition(wildcards)
    return job.of_group(job.rewritten, wildcards.group)


def of_groups(template):
    # The files of all groups of shards of a condition; none if one job makes the whole condition.
    def files(wildcards):
        return expand(template, group=get_condition(wildcards).groups, **wildcards)

    return files


def get_solved(wildcards):
    return expand(paths.SOLVED, **wildcards) if get_condition(wildcards).groups else []


def get_within(wildcards):
    return get_condition(wildcards).within


def get_balance(wildcards):
    return get_condition(wildcards).settings
