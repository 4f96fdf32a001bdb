# Hyperparameter search of a fine-tuning, by its best validation AUC (Optuna). Jobs share a journal. It is not a
# declared output, so that finished trials in it count when a job is run again.
# in:    data/prepared/<dataset>/<version>/table.parquet, data/raw/<dataset>/<version>/, the initial weights
# out:   results/search/<study>/<search>/
#          journal.log            Optuna's trials, shared by all parts
#          part~<k>.json          written when a part has finished, with the study's name
#        results/tables/<study>/searches/<search>/
#          trials.csv, best.json  every trial; the best trial and the number without a value
#          spec.json              settings, digests of code and inputs, versions
# steps: search_settings, gather_trials


rule search_settings:
    input:
        table=get_search_table,
        raw=ancient(get_search_raw),
        contents=get_search_raw_contents,
        weights=get_search_weights,
    output:
        part=paths.SEARCH_PART,
    log:
        "logs/search_settings/{study}/{search}-{part}.log",
    benchmark:
        "logs/search_settings/{study}/{search}-{part}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    threads: get_search_threads
    resources:
        **gpu_site(get_search_gpus),
        mem_mb=per_attempt(16000),
        runtime=per_attempt(1440),
        gpu=get_search_gpus,
        slurm_extra=SIGNAL_BEFORE_TIMEOUT,
    params:
        settings=get_search_settings,
        journal=get_search_journal,
        scratch=get_search_scratch,
        data=get_search_data,
        code=get_search_code,
    script:
        "../scripts/search_settings.py"


rule gather_trials:
    input:
        parts=get_search_parts,
    output:
        trials=paths.SEARCH_TRIALS,
        best=f"{paths.SEARCHED}/best.json",
        spec=f"{paths.SEARCHED}/spec.json",
    log:
        "logs/gather_trials/{study}/{search}.log",
    benchmark:
        "logs/gather_trials/{study}/{search}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        settings=get_search_settings,
        journal=get_search_journal,
        code=code_digest("clipfair.train.search.run"),
    script:
        "../scripts/gather_trials.py"
