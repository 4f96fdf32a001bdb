"""python -m tests.rehearsal <folder>: run the studies of real data whole, in miniature.

A copy of the repository is made in the folder, with a mirror of miniature datasets and weights, and with a
catalogue that has their checksums. Run again, it goes on.
"""

import argparse
import sys
from pathlib import Path

from tests.rehearsal.complete import report
from tests.rehearsal.preparation import OVERLAY, prepare
from tests.rehearsal.running import EVERYTHING, snakemake

STUDIES = ("paper", "open")


def main() -> int:
    """Prepare the folder, run each study and report; the exit status is 1 if anything was not made."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", default="all")
    options = parser.parse_args()
    prepare(options.folder, STUDIES)
    for study in STUDIES:
        how = ("--configfile", OVERLAY, "--cores", options.cores, "--keep-going", "--logger", "clipfair")
        snakemake(options.folder, study, *how, targets=EVERYTHING)
    return report(options.folder, STUDIES)


if __name__ == "__main__":
    sys.exit(main())
