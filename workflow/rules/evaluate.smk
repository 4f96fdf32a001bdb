# Evaluate: the metrics of both papers from embeddings and prepared tables; no model is run. One job is a
# batch: all of its seeds on all of its evaluations. Small models (recipes with several seeds_per_process) are
# embedded in the same job, because importing torch costs more than that.
# in:    results/embed/<study>/<run key without the seed>/, data/prepared/<dataset>/<version>/table.parquet
# out:   results/evaluate/<study>/<run key without the seed>/
#          seed~<s>/on~<evaluation>/metrics.json      every value with n and interval, or a reason
#          seed~<s>/on~<evaluation>/scores.parquet    predictions that all values can be recomputed from
#        <the folder's name>.spec.json                settings, versions, and the digest of the folder
# steps: evaluate_run, or embed_and_evaluate (embed_and_evaluate_only if the embeddings are not kept)


rule evaluate_run:
    input:
        embeddings=ancient(paths.EMBED),
        spec=f"{paths.EMBED}{paths.FOLDER_SPEC}",
        tables=get_evaluated_tables,
    output:
        folder=directory(paths.EVALUATE),
        spec=f"{paths.EVALUATE}{paths.FOLDER_SPEC}",
    log:
        "logs/evaluate_run/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.log",
    benchmark:
        "logs/evaluate_run/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.benchmark.tsv"
    wildcard_constraints:
        lam=paths.batch_pattern(get_batches_of_two_jobs()),
    conda:
        "../../envs/clip.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(240),
    params:
        parts=get_evaluated_parts,
        evaluations=get_evaluations,
        numerics=get_numerics,
        code=get_evaluation_code,
    script:
        "../scripts/evaluate_run.py"


# With keep_embeddings: false in the recipe, Snakemake removes the embeddings after the job.
for keep_embeddings in (True, False):

    rule:
        name:
            "embed_and_evaluate" if keep_embeddings else "embed_and_evaluate_only"
        input:
            models=get_embedded_files,
            snapshots=ancient(get_embedded_snapshots),
            tables=get_evaluated_tables,
            raw=ancient(get_evaluated_raw),
            contents=get_evaluated_raw_contents,
        output:
            embeddings=temp_unless(keep_embeddings, directory(paths.EMBED)),
            embeddings_spec=temp_unless(keep_embeddings, f"{paths.EMBED}{paths.FOLDER_SPEC}"),
            evaluations=directory(paths.EVALUATE),
            evaluations_spec=f"{paths.EVALUATE}{paths.FOLDER_SPEC}",
        log:
            "logs/embed_and_evaluate/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.log",
        benchmark:
            "logs/embed_and_evaluate/{study}/{dataset}-{balance}-{model}-{method}-{attr}-{lam}.benchmark.tsv"
        wildcard_constraints:
            lam=paths.batch_pattern(get_batches_of_one_job(keep_embeddings)),
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
            embedding_code=code_digest("clipfair.evaluate.embed.run"),
            evaluation_code=get_evaluation_code,
        script:
            "../scripts/embed_and_evaluate.py"
