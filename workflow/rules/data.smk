# Data: from the internet or a mirror folder to checked tables.
# in:    resources/datasets.yaml
# out:   data/raw/<dataset>/<version>/        the files as published, checked; manifest.json
#        data/contents/<dataset>/<version>.json   the sha256 of these files
#        data/prepared/<dataset>/<version>/   table.parquet, checked; spec.json
# steps: fetch_dataset, or generate_dataset for synthetic data -> prepare_dataset


localrules:
    fetch_dataset,


rule fetch_dataset:
    output:
        raw=directory(paths.RAW),
        contents=paths.CONTENTS,
    log:
        "logs/fetch_dataset/{dataset}-{version}.log",
    benchmark:
        "logs/fetch_dataset/{dataset}-{version}.benchmark.tsv"
    wildcard_constraints:
        dataset="|".join(get_fetched_datasets()),
    conda:
        "../../envs/workflow.yaml"
    params:
        source=get_source,
        subset=get_subset,
    script:
        "../scripts/fetch_dataset.py"


rule generate_dataset:
    output:
        raw=directory(paths.RAW),
        contents=paths.CONTENTS,
    log:
        "logs/generate_dataset/{dataset}-{version}.log",
    benchmark:
        "logs/generate_dataset/{dataset}-{version}.benchmark.tsv"
    wildcard_constraints:
        dataset=either(get_generated_datasets()),
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        generated=get_generated,
        code=code_digest("clipfair.data.embedded.generate"),
    script:
        "../scripts/generate_dataset.py"


# ancient: the time stamp of a folder says nothing; its content is in `contents`, in every rule that reads raw data.
rule prepare_dataset:
    input:
        raw=ancient(paths.RAW),
        contents=paths.CONTENTS,
    output:
        table=f"{paths.PREPARED}/table.parquet",
        spec=f"{paths.PREPARED}/spec.json",
    log:
        "logs/prepare_dataset/{dataset}-{version}.log",
    benchmark:
        "logs/prepare_dataset/{dataset}-{version}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        settings=get_loader_settings,
        code=get_loader_code,
    script:
        "../scripts/prepare_dataset.py"
