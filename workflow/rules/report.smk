# Summaries of a whole study: HTML pages for the report, a JSON file for DVC.
# in:    results/tables/<study>/<paper>/<table>.md .compare.csv
#        results/evaluate/<study>/.../scores.parquet
# out:   results/tables/<study>/pages/<paper>/<table>.html       the page of each table
#        results/tables/<study>/compared/<paper>/<table>.html    its values and the published ones
#        results/metrics.json    means and verdicts of every compared table, for dvc metrics diff
#        results/tables/<study>/predictions/    scores of every evaluated run (docs/predictions.md)
# steps: render_pages; gather_metrics; publish_predictions


report: "../report/workflow.rst"


localrules:
    render_pages,
    gather_metrics,
    publish_predictions,


rule render_pages:
    input:
        pages=get_pages(),
        compared=get_compared_files(),
    output:
        pages=report(
            directory(paths.PAGES),
            patterns=["{paper}/{table}.html"],
            caption="../report/page.rst",
            category=get_paper_title,
            subcategory="Tables",
            labels=get_table_labels,
        ),
        compared=report(
            directory(paths.COMPARED),
            patterns=["{paper}/{table}.html"],
            caption="../report/compared.rst",
            category=get_paper_title,
            subcategory="Compared values",
            labels=get_table_labels,
        ),
    log:
        "logs/render_pages/{study}.log",
    benchmark:
        "logs/render_pages/{study}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        code=code_digest("clipfair.tables.common.report_pages"),
    script:
        "../scripts/render_pages.py"


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
        code=code_digest("clipfair.tables.common.metrics_summary"),
    script:
        "../scripts/gather_metrics.py"


rule publish_predictions:
    input:
        folders=ancient(get_predicted_folders()),
        specs=get_predicted_specs(),
    output:
        folder=directory(paths.PREDICTIONS),
    log:
        "logs/publish_predictions/{study}.log",
    benchmark:
        "logs/publish_predictions/{study}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        code=code_digest("clipfair.tables.common.predictions"),
    script:
        "../scripts/publish_predictions.py"
