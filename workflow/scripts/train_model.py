"""train_model: train one model, from its initial weights or from the checkpoint of a stopped job."""

from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    # numpy and torch read the choice when they are imported
    use_numerics(snakemake.params.settings["recipe"]["numerics"])
    from clipfair.train.launch import launch

    data = {"raw": str(snakemake.input.raw), "cache": snakemake.params.cache}
    if snakemake.input.table:
        data["table"] = str(snakemake.input.table)
    else:
        data["keep"] = list(snakemake.input.keep)
    if snakemake.input.vocabulary:
        data["vocabulary"] = str(snakemake.input.vocabulary)
    launch(
        snakemake.resources.gpu,
        {
            "settings": snakemake.params.settings,
            "data": data,
            "weights": str(snakemake.input.weights) if snakemake.input.weights else None,
            "out": dict(snakemake.output.items()),
            "scratch": snakemake.params.scratch,
            "code": snakemake.params.code,
            "threads": snakemake.threads,
        },
    )
