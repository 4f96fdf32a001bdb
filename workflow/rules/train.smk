# Training: every model of both papers, pretrained or fine-tuned, on one core or many GPUs. A job that was
# stopped continues from the checkpoint in its scratch folder. The checkpoint is not a declared output, because
# Snakemake would remove it. A job trains one seed (train_model) or, where the recipe has several
# seeds_per_process, a block of them (train_seeds_<seeds>, a rule for each block).
# in:    data/raw/<dataset>/<version>/ with the keep-list of each stage, or
#        data/prepared/<dataset>/<version>/table.parquet; the initial weights
# out:   results/train/<study>/<run key>/
#          model.safetensors   the weights, of the last step or of the chosen epoch
#          snapshots/          <examples seen>.safetensors, if the recipe asks for them
#          spec.json           settings, digests of data and code, versions, hardware
#          log.csv             loss terms, learning rate, temperature, gradient norm, images/s
#        results/tables/<study>/epochs/<run key>.csv   of a fine-tuning: the validation of each epoch
#        results/tables/<study>/cards/<run key without the seed>/
#          card.md, curves.png the model card and the training curves of all seeds
#        data/weights/<model>.safetensors      published weights
#        data/weights/<model>.vocabulary.txt   the published vocabulary of its tokenizer
# steps: fetch_weights, fetch_vocabulary -> train_model or train_seeds_<seeds> -> write_model_card


localrules:
    fetch_weights,
    fetch_vocabulary,
    write_model_card,


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


for training in get_training_rules():

    rule:
        name:
            training.name
        input:
            raw=ancient(get_train_raw_of(training.seeds)),
            contents=get_train_raw_contents_of(training.seeds),
            table=get_train_table_of(training.seeds),
            keep=get_keep_lists_of(training.seeds),
            weights=get_start_weights_of(training.seeds),
            vocabulary=get_vocabulary,
        output:
            model=expand(paths.MODEL, seed=training.seeds, allow_missing=True),
            spec=expand(paths.MODEL_SPEC, seed=training.seeds, allow_missing=True),
            log=expand(paths.TRAIN_LOG, seed=training.seeds, allow_missing=True),
            epochs=expand(paths.EPOCHS, seed=training.seeds, allow_missing=True),
            snapshots=directory(expand(paths.SNAPSHOTS, seed=training.seeds, allow_missing=True)),
        log:
            f"logs/train_model/{{study}}/{training.log_name}.log",
        benchmark:
            f"logs/train_model/{{study}}/{training.log_name}.benchmark.tsv"
        wildcard_constraints:
            lam=paths.batch_pattern(training.batches),
        conda:
            "../../envs/clip.yaml"
        threads: get_train_threads
        resources:
            **gpu_site(get_train_gpus),
            gpu=get_train_gpus,
            mem_mb=get_train_memory,
            runtime=get_train_runtime_of(training.seeds),
            slurm_extra=SIGNAL_BEFORE_TIMEOUT,
        params:
            settings=get_train_settings_of(training.seeds),
            data=get_train_data_of(training.seeds),
            scratch=get_scratch_of(training.seeds),
            code=get_train_code,
        script:
            "../scripts/train_model.py"


# One job per batch, not per run: importing matplotlib takes as long as drawing, and one figure compares the seeds.
# One job per study would wait for all trainings, and redraw everything when one changes. Card and curves are not
# in results/train, so that a clone with the recorded tables need not train again to have them.
rule write_model_card:
    input:
        specs=get_batch_specs,
        logs=get_batch_logs,
        epochs=get_batch_epochs,
    output:
        card=f"{paths.MODEL_CARD}/card.md",
        curves=f"{paths.MODEL_CARD}/curves.png",
    log:
        "logs/write_model_card/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.log",
    benchmark:
        "logs/write_model_card/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.benchmark.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        data=get_training_data_kind,
        code=code_digest(
            "clipfair.train.card",
            "clipfair.train.curves",
            "clipfair.tables.common.figure_files",
            "clipfair.tables.common.table_files",
        ),
    script:
        "../scripts/write_model_card.py"
