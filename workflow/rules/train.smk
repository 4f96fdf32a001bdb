# Train: every model of both papers, pretrained or fine-tuned, on one core or many GPUs. A job that was
# stopped goes on from the checkpoint in its scratch folder, which is not declared: Snakemake would remove it.
# in:    data/raw/<dataset>/<version>/ with the keep-list of each stage, or
#        data/prepared/<dataset>/<version>/table.parquet; the weights it starts from
# out:   results/train/<study>/<run key>/
#          model.safetensors   the weights, of the last step or of the epoch chosen
#          snapshots/          <examples seen>.safetensors, where the recipe asks for them
#          spec.json, card.md  what made it; the same for people
#          log.csv, curves.png loss terms, learning rate, temperature, gradient norm, images/s
#          epochs.csv          of a fine-tuning: the validation of each epoch
#        data/weights/<model>.safetensors      published weights
#        data/weights/<model>.vocabulary.txt   the published vocabulary of its tokenizer
# steps: fetch_weights, fetch_vocabulary -> train_model


localrules:
    fetch_weights,
    fetch_vocabulary,


rule fetch_weights:
    input:
        tower=get_tower,
    output:
        paths.WEIGHTS,
    log:
        "logs/fetch_weights/{weights}.log",
    benchmark:
        "logs/fetch_weights/{weights}.benchmark.tsv"
    wildcard_constraints:
        weights=get_fetched_models(),
    conda:
        "../../envs/clip.yaml"
    params:
        weights=get_weights,
        code=code_digest("clipfair.models.weights"),
    script:
        "../scripts/fetch_weights.py"


rule fetch_vocabulary:
    output:
        paths.VOCABULARY,
    log:
        "logs/fetch_vocabulary/{weights}.log",
    benchmark:
        "logs/fetch_vocabulary/{weights}.benchmark.tsv"
    wildcard_constraints:
        weights=get_fetched_vocabularies(),
    conda:
        "../../envs/clip.yaml"
    params:
        source=get_vocabulary_source,
        code=code_digest("clipfair.models.weights"),
    script:
        "../scripts/fetch_vocabulary.py"


# ancient: the version is in the path of raw data, so a newer time stamp alone says nothing.
rule train_model:
    input:
        raw=ancient(get_train_raw),
        table=get_train_table,
        keep=get_keep_lists,
        weights=get_start_weights,
        vocabulary=get_vocabulary,
    output:
        model=paths.MODEL,
        spec=f"{paths.TRAIN}/spec.json",
        log=f"{paths.TRAIN}/log.csv",
        curves=f"{paths.TRAIN}/curves.png",
        card=f"{paths.TRAIN}/card.md",
        epochs=paths.EPOCHS,
        snapshots=directory(paths.SNAPSHOTS),
    log:
        "logs/train_model/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}-{seed}.log",
    benchmark:
        "logs/train_model/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}-{seed}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    threads: get_train_threads
    resources:
        **gpu_site(get_train_gpus),
        gpu=get_train_gpus,
        mem_mb=get_train_memory,
        runtime=get_train_runtime,
        slurm_extra=SIGNAL_BEFORE_TIMEOUT,
    params:
        settings=get_train_settings,
        scratch=get_scratch,
        cache=get_train_cache,
        code=get_train_code,
    script:
        "../scripts/train_model.py"
