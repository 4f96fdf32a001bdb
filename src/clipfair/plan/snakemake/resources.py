"""Resources that jobs request from a scheduler: values for the ``resources:`` of rules.

The rules hold everything that they request: ``--set-resources`` on the command line replaces the whole
``set-resources`` of a profile, so that a profile that held memory and time would lose them.
"""

import os
from collections.abc import Callable

# A site names these in the environment (docs/cluster.md); an empty value is not passed to SLURM.
PARTITION = "CLIPFAIR_PARTITION"
GPU_PARTITION = "CLIPFAIR_GPU_PARTITION"
CONSTRAINT = "CLIPFAIR_CONSTRAINT"

# SLURM sends SIGTERM two minutes before a job's time is up, which is enough to write a checkpoint. Without
# this option a job gets only KillWait (30 s by default).
SIGNAL_BEFORE_TIMEOUT = "--signal=TERM@120"


def per_attempt(amount: int) -> Callable:
    """Return a resource function: ``amount`` times the number of the attempt (1, 2, ...)."""

    def scale(wildcards, attempt):
        return amount * attempt

    return scale


def gpu_site(gpus_of: Callable) -> dict[str, Callable]:
    """Return the resources that place jobs with GPUs on this site's GPU nodes.

    Only what the site names is returned; for anything else the profile's default resources apply.

    Parameters
    ----------
    gpus_of
        The rule's own function from wildcards to its number of GPUs; jobs without a GPU go to the partition
        of all other jobs.
    """
    partition = os.environ.get(PARTITION) or None
    gpu_partition = os.environ.get(GPU_PARTITION)
    constraint = os.environ.get(CONSTRAINT)
    resources = {}
    if gpu_partition:
        resources["slurm_partition"] = lambda wildcards: gpu_partition if gpus_of(wildcards) else partition
    if constraint:
        resources["constraint"] = lambda wildcards: constraint if gpus_of(wildcards) else None
    return resources
