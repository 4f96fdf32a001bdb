"""Check of the files that ``--configfile`` names, before Snakemake reads them."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).parents[1]


def check_configfiles(arguments: Sequence[str]) -> None:
    """Exit with a message of one line if a configuration file of a ``snakemake`` command is wrong.

    The check runs in a process of its own, so that the package clipfair is not imported here. A job of a
    running workflow, which has ``--mode``, is not checked.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="*", default=[])
    parser.add_argument("--mode")
    known, _ = parser.parse_known_args(list(arguments))
    if known.mode is not None or not known.configfile:
        return
    command = [sys.executable, "-m", "clipfair.plan.configuration_files", *known.configfile]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    if status := subprocess.run(command, env=environment, check=False).returncode:
        sys.exit(status)
