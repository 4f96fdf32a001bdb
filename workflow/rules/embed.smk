# Embed: the images and texts of every evaluation, once for each checkpoint and dataset. Every evaluation of
# embeddings reads these files. One job is a batch: all of its seeds, with their snapshots for the evaluations
# of bias.
# in:    results/train/<study>/<run key>/{model.safetensors,snapshots/,spec.json} or data/weights/,
#        data/prepared/<dataset>/<version>/table.parquet, data/raw/<dataset>/<version>/
# out:   results/embed/<study>/<run key without the seed>/
#          seed~<s>/examples~<n>/record.json      the checkpoint: its run, digest, temperature and bias
#          seed~<s>/examples~<n>/texts.npz        one array for each set of texts
#          seed~<s>/examples~<n>/<dataset>.npz    keys, images, features (pre-logits), 16-bit
#          seed~<s>/examples~<n>/<dataset>~<r>.npz   the same, of images resized to r pixels and cropped
#        <the folder's name>.spec.json            settings, versions, and the digest of the folder
# steps: embed_split; embed_and_evaluate for small models (evaluate.smk)


rule embed_split:
    input:
        models=get_embedded_files,
        snapshots=ancient(get_embedded_snapshots),
        tables=get_evaluated_tables,
        raw=ancient(get_evaluated_raw),
        contents=get_evaluated_raw_contents,
    output:
        folder=directory(paths.EMBED),
        spec=f"{paths.EMBED}{paths.FOLDER_SPEC}",
    log:
        "logs/embed_split/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.log",
    benchmark:
        "logs/embed_split/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.benchmark.tsv"
    wildcard_constraints:
        lam=paths.batch_pattern(get_batches_of_two_jobs()),
    conda:
        "../../envs/clip.yaml"
    threads: get_embed_threads
    resources:
        **gpu_site(get_embed_gpus),
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
        gpu=get_embed_gpus,
    params:
        parts=get_evaluated_parts,
        evaluations=get_evaluations,
        numerics=get_numerics,
        code=code_digest("clipfair.evaluate.embed.run"),
    script:
        "../scripts/embed_split.py"
