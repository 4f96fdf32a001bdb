# Evaluate: the metrics of both papers from embeddings and prepared tables; no model is run. One job is a
# batch: all of its seeds on all of its evaluations.
# in:    results/embed/<study>/<run key less its seed>/, data/prepared/<dataset>/<version>/table.parquet
# out:   results/evaluate/<study>/<run key less its seed>/
#          seed~<s>/on~<evaluation>/metrics.json      every value with n and interval, or a reason
#          seed~<s>/on~<evaluation>/scores.parquet    predictions that all values can be recomputed from
#        <the folder's name>.spec.json                settings, versions, and the digest of the folder
# steps: evaluate_run


rule evaluate_run:
    input:
        embeddings=ancient(paths.EMBED),
        spec=f"{paths.EMBED}{paths.FOLDER_SPEC}",
        tables=get_evaluated_tables,
    output:
        folder=directory(paths.EVALUATE),
        spec=f"{paths.EVALUATE}{paths.FOLDER_SPEC}",
    log:
        "logs/evaluate_run/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.log",
    benchmark:
        "logs/evaluate_run/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(240),
    params:
        runs=get_evaluated_runs,
        evaluations=get_evaluations,
        datasets=get_evaluated_datasets,
        numerics=get_numerics,
        code=get_evaluation_code,
    script:
        "../scripts/evaluate_run.py"
