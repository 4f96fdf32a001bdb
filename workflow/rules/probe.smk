# Probe: linear probes on augmented images, for which the frozen model runs at every step
# (docs/fairclip-protocol.md, section 5). Probes of embeddings, without augmentation, are evaluations
# (evaluate.smk).
# in:    results/train/<study>/<run key>/{model.safetensors,spec.json} or data/weights/,
#        data/prepared/<dataset>/<version>/table.parquet, data/raw/<dataset>/<version>/
# out:   results/evaluate/<study>/augmented/<run key without the seed>/
#          seed~<s>/on~<evaluation>/metrics.json      as of an evaluation
#          seed~<s>/on~<evaluation>/scores.parquet    predictions that all values can be recomputed from
#          seed~<s>/on~<evaluation>/log.csv           AUC of validation and test, every few epochs
#        <the folder's name>.spec.json                settings, versions, and the digest of the folder
# steps: fit_probe


rule fit_probe:
    input:
        models=get_probed_files,
        tables=get_probed_tables,
        raw=ancient(get_probed_raw),
        contents=get_probed_raw_contents,
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
        parts=get_probed_parts,
        evaluations=get_probes,
        numerics=get_numerics,
        code=code_digest("clipfair.evaluate.probe.augmented"),
    script:
        "../scripts/fit_probe.py"
