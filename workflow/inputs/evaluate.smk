# What the rules of embed.smk and evaluate.smk ask of the plan.
from clipfair.plan.evaluation_jobs import batches_of_one_job, batches_of_two_jobs
from clipfair.plan.evaluation_jobs import evaluation_job
from clipfair.plan.own_code import job_code


def get_batches_of_one_job(keep_embeddings):
    return batches_of_one_job(PLAN, keep_embeddings=keep_embeddings)


def get_batches_of_two_jobs():
    return batches_of_two_jobs(PLAN)


def get_embed_threads(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).threads


def get_embed_gpus(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).gpus


def get_numerics(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).numerics


def get_evaluated_parts(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).parts


def get_evaluation_code(wildcards):
    job = evaluation_job(PLAN, get_run(wildcards))
    return job_code("clipfair.evaluate.run", *job.modules, own=job.own)


def get_embedded_files(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).files


def get_embedded_snapshots(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).snapshots


def get_evaluations(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).evaluations


def get_evaluated_tables(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).tables


def get_evaluated_raw(wildcards):
    return evaluation_job(PLAN, get_run(wildcards)).raw


def get_evaluated_raw_contents(wildcards):
    return [paths.contents_of(raw) for raw in get_evaluated_raw(wildcards)]
