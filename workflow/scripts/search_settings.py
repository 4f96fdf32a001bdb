"""search_settings: one part of the trials of a search; each trial is a training."""

from functools import partial

from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    # numpy and torch read the choice when they are imported
    use_numerics(snakemake.params.settings["training"]["recipe"]["numerics"])
    from clipfair.core.io import write_json
    from clipfair.train.run import train
    from clipfair.train.search.run import search_settings

    name = search_settings(
        partial(train, threads=snakemake.threads),
        snakemake.params.settings,
        data=snakemake.params.data,
        weights=str(snakemake.input.weights) if snakemake.input.weights else None,
        storage=snakemake.params.journal,
        scratch=snakemake.params.scratch,
        part=int(snakemake.wildcards.part),
    )
    write_json(snakemake.output.part, {"study": name, "part": int(snakemake.wildcards.part)})
