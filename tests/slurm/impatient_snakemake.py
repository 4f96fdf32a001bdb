"""Snakemake that asks SLURM for the states of jobs every second.

The SLURM plugin waits ten seconds longer after each question to which nothing has changed, up to three
minutes.
"""

import asyncio

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def sleep_one_second(executor: RemoteExecutor) -> None:
    """Wait between two questions."""
    await asyncio.sleep(1)


if __name__ == "__main__":
    RemoteExecutor.sleep = sleep_one_second
    main()
