# Conditions: which examples of an annotated dataset are trained on. Shards are never rewritten.
# in:    results/annotate/<study>/dataset~<dataset>/, or data/prepared/ where labels are the annotation
# out:   results/balance/<study>/dataset~<dataset>/balance~<balance>/
#          keep.parquet           the keys that are kept, with new text where the condition rewrites
#          audit.json, audit.md   biases before, after and in the sample; certificate; rate; what gave way
#          dual.json              for M4: all that is needed to weigh further examples; null for others
# steps: make_condition


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
        code=code_digest("clipfair.balance.conditions"),
    script:
        "../scripts/make_condition.py"
