# Conditions: which examples of an annotated dataset are trained on. Shards are never rewritten.
# in:    results/annotate/<study>/dataset~<dataset>/, or data/prepared/ where labels are the annotation
# out:   results/balance/<study>/dataset~<dataset>/balance~<balance>/
#          keep.parquet           the kept keys, with the rewritten caption if there is one
#          audit.json, audit.md   biases before, after and in the sample; certificate; rate; unsatisfied constraints
#          dual.json              for M4: suffices to weigh further examples; null for the other kinds
# steps: make_condition; its code digest excludes the page audit.md, which only presents audit.json


rule make_condition:
    input:
        annotations=get_annotation_files,
        rewritten=get_rewritten,
        within=get_within,
    output:
        keep=f"{paths.CONDITION}/keep.parquet",
        audit=f"{paths.CONDITION}/audit.json",
        page=f"{paths.CONDITION}/audit.md",
        dual=f"{paths.CONDITION}/dual.json",
        spec=f"{paths.CONDITION}/spec.json",
    log:
        "logs/make_condition/{study}/{dataset}-{balance}.log",
    benchmark:
        "logs/make_condition/{study}/{dataset}-{balance}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        balance=get_balance,
        data=get_training_data_kind,
        code=code_digest("clipfair.balance.conditions"),
    script:
        "../scripts/make_condition.py"
