"""embed_split: all seeds and snapshots of one batch on all datasets of its evaluations."""

from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    # numpy and torch read the choice when they are imported
    use_numerics(snakemake.params.numerics)
    from clipfair.core.provenance import write_spec
    from clipfair.evaluate.embed.run import embed

    settings = {name: snakemake.params[name] for name in ("parts", "evaluations")}
    for part in settings["parts"]:
        embed(
            **part,
            evaluations=settings["evaluations"],
            out_dir=snakemake.output.folder,
            threads=snakemake.threads,
        )
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={file: file for file in [*snakemake.input.models, *snakemake.input.tables]},
        folders={"embeddings": snakemake.output.folder},
    )
