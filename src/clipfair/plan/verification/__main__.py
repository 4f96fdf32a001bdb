"""python -m clipfair.plan.verification: rebuild a sample of a study's results and compare.

It reports and does not fail: other bytes have reasons that only a person can judge.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from clipfair.core.errors import one_line_errors
from clipfair.core.io import write_csv
from clipfair.core.numerics import processor
from clipfair.core.paths import ROOT
from clipfair.core.provenance import prepend_pythonpath
from clipfair.plan.configuration_files import configuration_files, merge, read_configuration
from clipfair.plan.loading import load_plan
from clipfair.plan.verification.report import compare_results, summary
from clipfair.plan.verification.sample import SampledResult, sample_results

REPORT = "results/verify-{study}.csv"


def verify(study: str | None, scratch: Path, cores: str) -> None:
    """Rebuild the sample in ``scratch``, which is emptied first; print the comparison and write a csv."""
    chosen = {} if study is None else {"study": study}
    plan = load_plan(merge(read_configuration(configuration_files(ROOT)), chosen))
    sample = sample_results(plan)
    results = list(filter(None, map(recorded, sample)))
    lacking = sorted({result.kind for result in sample} - {result.kind for result in results})
    if not results:
        print(
            "clipfair: nothing to compare: results/ has none of the sampled results of study "
            f"{plan.study!r}; run `dvc pull` or `make results` first"
        )
        return
    if lacking:
        print(f"clipfair: not in results/, so not compared: {', '.join(lacking)}")
    mirror = plan.configuration.mirror
    settings = [f"study={plan.study}", *([f"mirror={Path(mirror).resolve()}"] if mirror else [])]
    rebuild(results, scratch, ["--cores", cores], settings)
    frame = compare_results(results, scratch)
    frame["processor"], frame["date"] = processor()["model"], datetime.now(UTC).date().isoformat()
    out = REPORT.format(study=plan.study)
    write_csv(out, frame)
    print("\n".join(summary(frame)))
    print(f"this machine: {processor()['model']}; every result: {out}; rebuilt: {scratch}")


def recorded(result: SampledResult) -> SampledResult | None:
    """A result with those of its files that are in results/; None if there are none."""
    files = tuple(file for file in result.files if Path(file).exists())
    return replace(result, files=files) if files else None


def rebuild(
    results: Sequence[SampledResult], scratch: Path, options: Sequence[str], settings: Sequence[str]
) -> None:
    """Run the workflow for the sampled results in a folder of their own, with ``settings`` of --config."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    prepend_pythonpath()  # the progress view is found there
    files = [file for result in results for file in result.files]
    run = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--logger", "clipfair", "--keep-going", *options),
            *("--config", *settings, "missing_data=leave_out", "--", *files),
        ],
        cwd=scratch,
        check=False,
    )
    if run.returncode:
        print("clipfair: not everything could be rebuilt; the messages of Snakemake are above")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m clipfair.plan.verification", description=__doc__)
    parser.add_argument("--study", help="id of the study; that of config.yaml unless given")
    parser.add_argument("--scratch", type=Path, default=Path("scratch/verify"), help="where it is rebuilt")
    parser.add_argument("--cores", default="all", help="as of snakemake")
    arguments = parser.parse_args()
    with one_line_errors():
        verify(arguments.study, arguments.scratch, arguments.cores)
