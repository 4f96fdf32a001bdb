# What is told of a whole study.
# in:    results/tables/<study>/<paper>/<table>.compare.csv
# out:   results/metrics.json    every compared table's means and verdicts, for dvc metrics diff
# steps: gather_metrics


localrules:
    gather_metrics,


rule gather_metrics:
    input:
        get_compared_files(),
    output:
        paths.METRICS,
    log:
        "logs/gather_metrics.log",
    benchmark:
        "logs/gather_metrics.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        tables=get_compared_names(),
        code=code_digest("clipfair.tables.summary"),
    script:
        "../scripts/gather_metrics.py"
