# Probe: linear probes that augment their pictures, so that the frozen model runs at every step (section 5 of
# the FairCLIP protocol). Probes of embeddings, without augmentation, are evaluations like the others.
# in:    results/train/<study>/<run key>/{model.safetensors,spec.json} or data/weights/,
#        data/prepared/<dataset>/<version>/table.parquet, data/raw/<dataset>/<version>/
# out:   results/probe/<study>/<run key less its seed>/
#          seed~<s>/on~<evaluation>/metrics.json      as an evaluation's
#          seed~<s>/on~<evaluation>/scores.parquet    what all of them follow from
#          seed~<s>/on~<evaluation>/log.csv           AUC of validation and test, every few epochs
#        <the folder's name>.spec.json                what made it, and the digest of what is in it
# steps: fit_probe


rule fit_probe:
    input:
        models=get_probed_files,
        table=get_probed_table,
        raw=ancient(get_probed_raw),
    output:
        folder=directory(paths.PROBE),
        spec=f"{paths.PROBE}{paths.FOLDER_SPEC}",
    log:
        "logs/fit_probe/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.log",
    benchmark:
        "logs/fit_probe/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.benchmark.tsv"
    conda:
        "../../envs/clip.yaml"
    threads: get_probe_threads
    resources:
        **gpu_site(get_probe_gpus),
        mem_mb=per_attempt(24000),
        runtime=per_attempt(720),
        gpu=get_probe_gpus,
    params:
        models=get_probed_models,
        evaluations=get_probes,
        code=code_digest("clipfair.evaluate.probe.augmented"),
    script:
        "../scripts/fit_probe.py"
