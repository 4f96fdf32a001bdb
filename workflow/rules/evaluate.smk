# Evaluate: every metric of both papers, from embeddings and prepared tables alone. One job is a batch:
# all its seeds on all its evaluations.
# in:    results/embed/<study>/<run key less its seed>/, data/prepared/<dataset>/<version>/table.parquet
# out:   results/evaluate/<study>/<run key less its seed>/
#          seed~<s>/on~<evaluation>/metrics.json      every value with n, interval, or why it is undefined
#          seed~<s>/on~<evaluation>/scores.parquet    what all of them follow from
#        <the folder's name>.spec.json                what made it, and the digest of what is in it
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
        code=get_evaluation_code,
    script:
        "../scripts/evaluate_run.py"
