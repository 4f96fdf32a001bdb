# Annotations: the attributes that the image shows and the caption mentions, in separate columns.
# in:    data/raw/<dataset>/<version>/shards/, data/prepared/<dataset>/<version>/, resources/vocabulary/
# out:   results/annotate/<study>/dataset~<dataset>/
#          shard~<shard>.parquet    key, text.<attribute>=<value>, image.<attribute>=<value>, human, similarity
#          captions.parquet         the text columns alone, for captions without images
#          encoder.npz, annotator.npz, quality.json, neutral~<shard>.parquet
# steps: fit_encoder -> fit_annotator -> annotate_shard -> measure_annotation;
#        annotate_captions; rewrite_shard


rule fit_encoder:
    input:
        raw=ancient(get_raw),
        contents=get_raw_contents,
    output:
        f"{paths.ANNOTATIONS}/encoder.npz",
    log:
        "logs/fit_encoder/{study}/{dataset}.log",
    benchmark:
        "logs/fit_encoder/{study}/{dataset}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        annotation=get_annotation,
        code=code_digest("clipfair.annotate.encoders.linear"),
    script:
        "../scripts/fit_encoder.py"


rule fit_annotator:
    input:
        raw=ancient(get_raw),
        contents=get_raw_contents,
        encoder=get_encoder,
        vocabularies=get_vocabularies,
    output:
        f"{paths.ANNOTATIONS}/annotator.npz",
    log:
        "logs/fit_annotator/{study}/{dataset}.log",
    benchmark:
        "logs/fit_annotator/{study}/{dataset}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    resources:
        **gpu_site(get_annotation_gpus),
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
        gpu=get_annotation_gpus,
    params:
        annotation=get_annotation,
        code=get_annotator_code,
    script:
        "../scripts/fit_annotator.py"


rule annotate_shard:
    input:
        raw=ancient(get_raw),
        contents=get_raw_contents,
        encoder=get_encoder,
        annotator=f"{paths.ANNOTATIONS}/annotator.npz",
        vocabularies=get_vocabularies,
    output:
        annotations=f"{paths.ANNOTATIONS}/shard~{{shard}}.parquet",
        report=f"{paths.ANNOTATIONS}/shard~{{shard}}.report.json",
    log:
        "logs/annotate_shard/{study}/{dataset}-{shard}.log",
    benchmark:
        "logs/annotate_shard/{study}/{dataset}-{shard}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    resources:
        **gpu_site(get_annotation_gpus),
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
        gpu=get_annotation_gpus,
    params:
        annotation=get_annotation,
        code=get_annotation_code,
    script:
        "../scripts/annotate_shard.py"


rule annotate_captions:
    input:
        table=get_prepared_table,
        vocabularies=get_vocabularies,
    output:
        f"{paths.ANNOTATIONS}/captions.parquet",
    log:
        "logs/annotate_captions/{study}/{dataset}.log",
    benchmark:
        "logs/annotate_captions/{study}/{dataset}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_digest("clipfair.annotate.captions"),
    script:
        "../scripts/annotate_captions.py"


rule rewrite_shard:
    input:
        raw=ancient(get_raw),
        contents=get_raw_contents,
        replacements=get_replacements,
    output:
        f"{paths.ANNOTATIONS}/neutral~{{shard}}.parquet",
    log:
        "logs/rewrite_shard/{study}/{dataset}-{shard}.log",
    benchmark:
        "logs/rewrite_shard/{study}/{dataset}-{shard}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        annotation=get_annotation,
        code=code_digest("clipfair.annotate.neutral"),
    script:
        "../scripts/rewrite_shard.py"


rule measure_annotation:
    input:
        raw=ancient(get_raw),
        contents=get_raw_contents,
        annotations=get_annotation_files,
    output:
        f"{paths.ANNOTATIONS}/quality.json",
    log:
        "logs/measure_annotation/{study}/{dataset}.log",
    benchmark:
        "logs/measure_annotation/{study}/{dataset}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        annotation=get_annotation,
        code=code_digest("clipfair.annotate.quality"),
    script:
        "../scripts/measure_annotation.py"
