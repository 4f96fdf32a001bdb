"""Data that a study needs and only a person can get: found before any job, reported in one message."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clipfair.core.catalogue import Dataset
from clipfair.core.errors import UserError
from clipfair.data.fetch import MANIFEST, in_mirror, lacking_in_mirror, mirror_folder
from clipfair.data.instructions import NAME_THE_MIRROR, missing_block
from clipfair.data.prepare import find_loader
from clipfair.plan.data_needed import datasets_needed, without
from clipfair.plan.study_plan import StudyPlan


def check_data(plan: StudyPlan) -> tuple[StudyPlan, str]:
    """The study as far as its data are there, and :func:`missing_message` if it must not start without more.

    The message is empty if nothing is missing, or if what is missing is left out. A plan (a dry run) can be
    made with data missing, so it is up to the caller to stop.

    Raises
    ------
    UserError
        If there is no loader for a dataset that is needed.
    """
    needed, mirror = datasets_needed(plan), mirror_folder(plan.configuration.mirror)
    for name in needed:
        find_loader(plan.datasets[name])
    raw_dirs = {name: plan.raw_of(name) for name in needed}
    missing = missing_datasets(plan.datasets, needed, raw_dirs=raw_dirs, mirror=mirror)
    if not missing:
        return plan, ""
    if plan.configuration.missing_data == "leave_out":
        return without(plan, missing), ""
    return plan, missing_message(plan.datasets, missing, mirror=mirror)


def report_failed_downloads(plan: StudyPlan) -> None:
    """Print the last line of the log of each download that failed; an empty log has none."""
    for name in datasets_needed(plan):
        log = Path(f"logs/fetch_dataset/{name}-{plan.datasets[name].version}.log")
        if log.exists() and not Path(plan.raw_of(name)).exists():
            for line in log.read_text(encoding="utf-8").strip().splitlines()[-1:]:
                print(line, file=sys.stderr)


def stop_for(message: str) -> None:
    """Raise :class:`UserError` if data are missing; the message itself was printed before the plan."""
    if message:
        raise UserError("nothing was started: data are missing, as the message before the plan says")


def missing_datasets(
    datasets: Mapping[str, Dataset],
    needed: Mapping[str, Sequence[str]],
    *,
    raw_dirs: Mapping[str, str | Path],
    mirror: str | None,
) -> dict[str, Sequence[str]]:
    """The part of ``needed`` that is neither fetched, nor in the mirror folder, nor can be downloaded.

    Parameters
    ----------
    needed
        Id of each dataset -> the tables and figures that need it.
    raw_dirs
        Id of each dataset -> the folder that it is fetched into.
    """
    return {
        name: tables
        for name, tables in needed.items()
        if datasets[name].access != "generated"
        and not datasets[name].downloadable
        and not Path(raw_dirs[name], MANIFEST).is_file()
        and not in_mirror(datasets[name], mirror=mirror)
    }


def missing_message(
    datasets: Mapping[str, Dataset], missing: Mapping[str, Sequence[str]], *, mirror: str | None
) -> str:
    """One message, with a paragraph for each dataset: what needs it, how to get it, how it will be checked.

    Parameters
    ----------
    missing
        As :func:`missing_datasets` gives it; not empty.
    """
    paragraphs = [
        missing_block(
            datasets[name], tables, mirror=mirror, lacking=lacking_in_mirror(datasets[name], mirror=mirror)
        )
        for name, tables in missing.items()
    ]
    place = f"the mirror folder is {mirror}" if mirror else NAME_THE_MIRROR
    return "\n\n".join(
        [
            f"missing are {len(missing)} of the datasets of this study, which only a person can get:",
            *paragraphs,
            f"{place}; or build all that can be built without them: --config missing_data=leave_out",
        ]
    )
