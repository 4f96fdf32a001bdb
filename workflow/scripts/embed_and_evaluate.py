"""embed_and_evaluate: the embeddings of one batch and its evaluations, in one job."""

from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    params, output = snakemake.params, snakemake.output
    # numpy and torch read the choice when they are imported
    use_numerics(params.numerics)
    from clipfair.core.provenance import write_spec
    from clipfair.evaluate.embed.run import embed
    from clipfair.evaluate.run import evaluate_runs

    settings = {"parts": params.parts, "evaluations": params.evaluations}
    record = {"made_by": snakemake.rule, "settings": settings}
    for part in params.parts:
        tables = {name: places["table"] for name, places in part["datasets"].items()}
        runs = [model["run"] for model in part["models"]]
        embed(**part, evaluations=params.evaluations, out_dir=output.embeddings, threads=snakemake.threads)
        evaluate_runs(output.embeddings, tables, params.evaluations, runs, output.evaluations)
    write_spec(
        output.embeddings_spec,
        **record,
        code=params.embedding_code,
        inputs={file: file for file in [*snakemake.input.models, *snakemake.input.tables]},
        folders={"embeddings": output.embeddings},
    )
    write_spec(
        output.evaluations_spec,
        **record,
        code=params.evaluation_code,
        inputs={file: file for file in [*snakemake.input.tables, output.embeddings_spec]},
        folders={"evaluations": output.evaluations},
    )
