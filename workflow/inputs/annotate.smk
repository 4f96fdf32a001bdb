# What the rules of annotate.smk ask of the plan.
from clipfair.core.code_digest import code_digest
from clipfair.plan.data_jobs import annotation_job


def get_annotation(wildcards):
    return annotation_job(PLAN, wildcards.dataset).settings


def get_annotation_gpus(wildcards):
    return annotation_job(PLAN, wildcards.dataset).gpus


def get_annotator_code(wildcards):
    job = annotation_job(PLAN, wildcards.dataset)
    return code_digest(
        "clipfair.annotate.fit",
        f"clipfair.annotate.{job.labels_prefix}labels",
        f"clipfair.annotate.encoders.{job.encoder_kind}",
    )


def get_annotation_code(wildcards):
    kind = annotation_job(PLAN, wildcards.dataset).encoder_kind
    return code_digest("clipfair.annotate.shards", f"clipfair.annotate.encoders.{kind}")


def get_raw(wildcards):
    return PLAN.raw_of(wildcards.dataset)


def get_raw_contents(wildcards):
    return paths.contents_of(get_raw(wildcards))


def get_vocabularies(wildcards):
    return [str(ROOT / file) for file in annotation_job(PLAN, wildcards.dataset).vocabularies]


def get_replacements(wildcards):
    return str(ROOT / "resources/vocabulary/neutral.yaml")


def get_encoder(wildcards):
    return annotation_job(PLAN, wildcards.dataset).encoder


def get_annotation_files(wildcards):
    return annotation_job(PLAN, wildcards.dataset).files
