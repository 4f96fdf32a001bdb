"""fit_probe: the probes of all seeds of one batch, on augmented images."""

from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    # numpy and torch read the choice when they are imported
    use_numerics(snakemake.params.numerics)
    from clipfair.core.io import atomic_folder
    from clipfair.core.provenance import write_spec
    from clipfair.evaluate.probe.augmented import fit_probes

    settings = {name: snakemake.params[name] for name in ("parts", "evaluations")}
    with atomic_folder(snakemake.output.folder) as folder:
        for part in settings["parts"]:
            [dataset] = part["datasets"].values()
            fit_probes(part["models"], dataset, settings["evaluations"], folder, threads=snakemake.threads)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={file: file for file in [*snakemake.input.models, *snakemake.input.tables]},
        folders={"probes": snakemake.output.folder},
    )
