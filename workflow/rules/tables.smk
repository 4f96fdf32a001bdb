# Tables and figures: pure functions of the evaluation records, compared with the published numbers.
# in:    results/tabular/<study>/.../metrics.json, results/evaluate/<study>/.../metrics.json,
#        results/tables/<study>/epochs/, resources/published/<paper>.csv
# out:   results/tables/<study>/<paper>/<table>.csv .md .compare.csv .svg .png
#          (the column `data`, the title and the mark above a figure say whether the data are synthetic;
#          .compare.csv has only a header where the paper prints no numbers)
#        results/table5.csv    Table 5 of every paper of the study, one tidy file
# steps: build_table, build_data_table or build_run_table -> draw_figure; gather_table5


localrules:
    build_table,
    build_data_table,
    build_run_table,
    draw_figure,
    gather_table5,


rule build_table:
    input:
        records=get_records,
        published=get_published,
    output:
        csv=f"{paths.TABLE}.csv",
        markdown=f"{paths.TABLE}.md",
        compare=f"{paths.TABLE}.compare.csv",
        spec=f"{paths.TABLE}.spec.json",
    log:
        "logs/build_table/{study}/{paper}-{table}.log",
    benchmark:
        "logs/build_table/{study}/{paper}-{table}.benchmark.tsv"
    wildcard_constraints:
        table=get_published_tables(),
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=get_table_settings,
        data=get_data_kind,
        notes=get_table_notes,
        code=get_builder_code,
    script:
        "../scripts/build_table.py"


rule build_data_table:
    input:
        files=get_data_table_inputs,
        raw=ancient(get_data_table_raw),
    output:
        csv=f"{paths.TABLE}.csv",
        markdown=f"{paths.TABLE}.md",
        spec=f"{paths.TABLE}.spec.json",
    log:
        "logs/build_data_table/{study}/{paper}-{table}.log",
    benchmark:
        "logs/build_data_table/{study}/{paper}-{table}.benchmark.tsv"
    wildcard_constraints:
        table=get_data_tables(),
    conda:
        "../../envs/workflow.yaml"
    params:
        builder=get_data_table_builder,
        arguments=get_data_table_arguments,
        data=get_data_kind,
        notes=get_table_notes,
        code=get_builder_code,
    script:
        "../scripts/build_data_table.py"


rule build_run_table:
    input:
        records=ancient(get_records),
        specs=get_run_specs,
        epochs=get_run_epochs,
        published=get_published,
    output:
        csv=f"{paths.TABLE}.csv",
        markdown=f"{paths.TABLE}.md",
        compare=f"{paths.TABLE}.compare.csv",
        spec=f"{paths.TABLE}.spec.json",
    log:
        "logs/build_run_table/{study}/{paper}-{table}.log",
    benchmark:
        "logs/build_run_table/{study}/{paper}-{table}.benchmark.tsv"
    wildcard_constraints:
        table=get_run_tables(),
    conda:
        "../../envs/workflow.yaml"
    params:
        settings=get_table_settings,
        data=get_data_kind,
        notes=get_table_notes,
        epochs=get_run_epochs_by_key,
        code=get_builder_code,
    script:
        "../scripts/build_run_table.py"


rule draw_figure:
    input:
        table=get_figure_data,
    output:
        svg=report(
            f"{paths.TABLE}.svg",
            caption="../report/figure.rst",
            category=get_paper_title,
            subcategory="Figures",
            labels=get_figure_labels,
        ),
        png=f"{paths.TABLE}.png",
    log:
        "logs/draw_figure/{study}/{paper}-{table}.log",
    benchmark:
        "logs/draw_figure/{study}/{paper}-{table}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        figure=get_figure,
        data=get_data_kind,
        code=get_figure_code,
    script:
        "../scripts/draw_figure.py"


rule gather_table5:
    input:
        get_table5_parts(),
    output:
        paths.TABLE5,
    log:
        "logs/gather_table5.log",
    benchmark:
        "logs/gather_table5.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        study=PLAN.study,
        code=code_digest("clipfair.tables.common.table5"),
    script:
        "../scripts/gather_table5.py"
