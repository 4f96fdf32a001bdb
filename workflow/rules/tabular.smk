# Tabular: Table 5 of CLIP the Bias. One job is one mitigation on one dataset with all its
# repeats: the imports of a job cost more than one fit of the base classifier.
# in:    data/prepared/<dataset>/<version>/table.parquet
# out:   results/tabular/<study>/<run key without the seed>/
#          metrics.json           every repeat's metrics, per group, with n
#          predictions.parquet    seed, row, label, group, prediction: all metrics follow from it
#          spec.json              what made it
# steps: evaluate_mitigation


rule evaluate_mitigation:
    input:
        table=get_prepared_table,
    output:
        metrics=f"{paths.TABULAR}/metrics.json",
        predictions=f"{paths.TABULAR}/predictions.parquet",
        spec=f"{paths.TABULAR}/spec.json",
    log:
        "logs/evaluate_mitigation/{study}/{dataset}-{model}-{method}-{attr}.log",
    benchmark:
        "logs/evaluate_mitigation/{study}/{dataset}-{model}-{method}-{attr}.benchmark.tsv"
    priority: get_mitigation_priority
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(3000),
        runtime=per_attempt(60),
    params:
        settings=get_mitigation_settings,
        code=get_mitigation_code,
    script:
        "../scripts/evaluate_mitigation.py"
