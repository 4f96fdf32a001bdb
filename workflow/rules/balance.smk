# Conditions: which examples of an annotated dataset are trained on. Shards are never rewritten.
# in:    results/annotate/<study>/dataset~<dataset>/, or data/prepared/ where labels are the annotation
# out:   results/balance/<study>/dataset~<dataset>/balance~<balance>/
#          keep.parquet           the kept keys, with the rewritten caption if there is one
#          audit.json, audit.md   biases before, after and in the sample; certificate; rate; unsatisfied constraints
#          dual.json              for M4: suffices to weigh further examples; null for the other kinds
# steps: count_patterns -> solve_condition -> sample_shards -> make_condition, where the first and third are jobs of
#        groups of shards (shards_per_job of the annotation); with a single group make_condition does it all.
#        Their code digest excludes the page audit.md, which only presents audit.json.


rule count_patterns:
    input:
        annotations=get_group_annotations,
        within=get_within,
    output:
        counts=temp(paths.GROUP_COUNTS),
        similarity=temp(paths.GROUP_SIMILARITY),
    log:
        "logs/count_patterns/{study}/{dataset}-{balance}-{group}.log",
    benchmark:
        "logs/count_patterns/{study}/{dataset}-{balance}-{group}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        balance=get_balance,
        code=code_digest("clipfair.balance.conditions"),
    script:
        "../scripts/count_patterns.py"


rule solve_condition:
    input:
        counts=of_groups(paths.GROUP_COUNTS),
        similarity=of_groups(paths.GROUP_SIMILARITY),
    output:
        temp(paths.SOLVED),
    log:
        "logs/solve_condition/{study}/{dataset}-{balance}.log",
    benchmark:
        "logs/solve_condition/{study}/{dataset}-{balance}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        balance=get_balance,
        code=code_digest("clipfair.balance.conditions"),
    script:
        "../scripts/solve_condition.py"


rule sample_shards:
    input:
        annotations=get_group_annotations,
        rewritten=get_group_rewritten,
        within=get_within,
        solved=get_solved,
    output:
        keep=temp(paths.GROUP_KEEP),
        hashes=temp(paths.GROUP_HASHES),
        sums=temp(paths.GROUP_SUMS),
    log:
        "logs/sample_shards/{study}/{dataset}-{balance}-{group}.log",
    benchmark:
        "logs/sample_shards/{study}/{dataset}-{balance}-{group}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        balance=get_balance,
        code=code_digest("clipfair.balance.conditions"),
    script:
        "../scripts/sample_shards.py"


rule make_condition:
    input:
        annotations=get_annotation_files,
        rewritten=get_rewritten,
        within=get_within,
        solved=get_solved,
        keep=of_groups(paths.GROUP_KEEP),
        hashes=of_groups(paths.GROUP_HASHES),
        sums=of_groups(paths.GROUP_SUMS),
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
