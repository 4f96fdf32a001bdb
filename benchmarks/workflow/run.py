"""Run Snakemake and report the CPU time of its main process and of all jobs.

    python benchmarks/workflow/run.py --cores 2 --keep-going        # arguments are those of snakemake

prints one JSON object to standard error.
"""

import json
import resource
import sys
import time

from snakemake.cli import main


def cpu_seconds(who: int) -> float:
    """Return the CPU time of this process or of its children that have ended."""
    usage = resource.getrusage(who)
    return round(usage.ru_utime + usage.ru_stime, 1)


started = time.monotonic()
try:
    main()
finally:
    measured = {
        "arguments": sys.argv[1:],
        "wall_seconds": round(time.monotonic() - started, 1),
        "main_cpu_seconds": cpu_seconds(resource.RUSAGE_SELF),
        "jobs_cpu_seconds": cpu_seconds(resource.RUSAGE_CHILDREN),
    }
    print(json.dumps(measured), file=sys.stderr)
