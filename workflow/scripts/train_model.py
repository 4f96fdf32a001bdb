"""train_model: train the models of some seeds, from initial weights or from checkpoints of a stopped job."""

from clipfair.core.errors import job_log
from clipfair.core.gpus import reserve_gpus
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]), reserve_gpus(snakemake.resources.gpu):
    # numpy and torch read the choice when they are imported
    use_numerics(snakemake.params.settings[0]["recipe"]["numerics"])
    from clipfair.train.launch import launch_each, requests_by_seed

    requests = requests_by_seed(
        snakemake.params.settings,
        data=snakemake.params.data,
        weights=snakemake.input.weights,
        outputs=dict(snakemake.output.items()),
        scratch=snakemake.params.scratch,
        shared={"code": snakemake.params.code, "threads": snakemake.threads},
    )
    launch_each(snakemake.resources.gpu, requests)
