"""Missing data that must be obtained by hand: found before any job, reported in one message."""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipfair.core.catalogue import Dataset
from clipfair.core.errors import UserError
from clipfair.data.fetch import MANIFEST, check_mirror, in_mirror, lacking_in_mirror, mirror_folder
from clipfair.data.instructions import NAME_THE_MIRROR, missing_block
from clipfair.data.prepare import find_loader
from clipfair.plan.data_needed import datasets_needed, datasets_of, without
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import published_weights


@dataclass(frozen=True)
class DataCheck:
    """A study and its missing data.

    Attributes
    ----------
    plan : the study, less what is left out.
    missing : the missing datasets; empty if they are left out.
    message : printed before the plan; empty if nothing is missing.
    """

    plan: StudyPlan
    missing: Collection[str]
    message: str


def check_data(plan: StudyPlan, tables: Collection[str]) -> DataCheck:
    """Find the missing data of a study; with ``missing_data: leave_out``, leave out what depends on them.

    A dry run can be made with data missing, so it is up to the caller to stop (:func:`stop_for`).

    Parameters
    ----------
    tables
        The tables that are built. The message is about these alone.

    Raises
    ------
    UserError
        If there is no loader for a dataset that is needed, or data or weights are to be fetched and the named
        mirror folder is wrong.
    """
    needed, mirror = datasets_needed(plan), mirror_folder(plan.configuration.mirror)
    for name in needed:
        find_loader(plan.datasets[name])
    raw_dirs = {name: plan.raw_of(name) for name in needed}
    fetched = any(_is_to_be_fetched(plan.datasets[name], raw_dirs[name]) for name in needed)
    if fetched or any(not Path(file).exists() for file in published_weights(plan)):
        check_mirror(mirror)
    missing = missing_datasets(plan.datasets, needed, raw_dirs=raw_dirs, mirror=mirror)
    if not missing:
        return DataCheck(plan, (), "")
    if plan.configuration.missing_data == "leave_out":
        rest = without(plan, missing)
        return DataCheck(rest, (), left_out_message(plan, rest, tables, missing))
    lacking = _lacking(plan, tables, missing)
    asked = [name for name in missing if any(name in names for names in lacking.values())]
    if not asked:
        return DataCheck(plan, tuple(missing), "")
    message = missing_message(plan.datasets, asked, lacking, mirror=mirror, study=plan.study)
    return DataCheck(plan, tuple(missing), message)


def report_failed_downloads(plan: StudyPlan) -> None:
    """Print the last line of the log of each download that failed; an empty log has none."""
    for name in datasets_needed(plan):
        log = Path(f"logs/fetch_dataset/{name}-{plan.datasets[name].version}.log")
        if log.exists() and not Path(plan.raw_of(name)).exists():
            for line in log.read_text(encoding="utf-8").strip().splitlines()[-1:]:
                print(line, file=sys.stderr)


def stop_for(missing: Collection[str], downloads: Collection[str]) -> None:
    """Stop before any job if data are missing.

    Parameters
    ----------
    missing
        The missing datasets of the study.
    downloads
        The datasets that the planned jobs fetch.

    Raises
    ------
    UserError
        If a dataset in ``downloads`` is missing.
    """
    stopping = [name for name in missing if name in downloads]
    if stopping:
        raise UserError(
            f"nothing was started: {', '.join(stopping)} missing, as the message before the plan says"
        )


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
        if _is_to_be_fetched(datasets[name], raw_dirs[name])
        and not datasets[name].downloadable
        and not in_mirror(datasets[name], mirror=mirror)
    }


def _is_to_be_fetched(dataset: Dataset, raw_dir: str | Path) -> bool:
    return dataset.access != "generated" and not Path(raw_dir, MANIFEST).is_file()


def missing_message(
    datasets: Mapping[str, Dataset],
    missing: Sequence[str],
    lacking: Mapping[str, Sequence[str]],
    *,
    mirror: str | None,
    study: str,
) -> str:
    """Return one message with a paragraph for each missing dataset, and the tables that need them.

    Parameters
    ----------
    missing
        Ids of datasets; not empty.
    lacking
        Each table that cannot be built -> the datasets that it lacks.
    """
    paragraphs = [
        missing_block(datasets[name], mirror=mirror, lacking=lacking_in_mirror(datasets[name], mirror=mirror))
        for name in missing
    ]
    place = f"the mirror folder is {mirror}" if mirror else NAME_THE_MIRROR
    return "\n\n".join(
        [
            f"data are missing that you must get yourself ({len(missing)} of the datasets of this study):",
            *paragraphs,
            "needed for:\n" + _listed(lacking),
            f"{place}; or build all that can be built without them: "
            f"--config study={study} missing_data=leave_out",
        ]
    )


def left_out_message(
    plan: StudyPlan, rest: StudyPlan, tables: Collection[str], missing: Collection[str]
) -> str:
    """Return which of ``tables`` are left out or built in part, each with the missing datasets.

    Parameters
    ----------
    plan, rest
        The whole study, and what is left of it.

    Returns
    -------
    str
        Empty if none of ``tables`` needs a missing dataset.
    """
    lacking = _lacking(plan, tables, missing)
    out = {table: names for table, names in lacking.items() if table not in rest.tables}
    in_part = {table: names for table, names in lacking.items() if table in rest.tables}
    parts = ["missing_data=leave_out leaves out, because data are missing:\n" + _listed(out)] if out else []
    if in_part:
        parts.append("missing_data=leave_out builds without some of their datasets:\n" + _listed(in_part))
    return "\n".join(parts)


def _lacking(
    plan: StudyPlan, tables: Collection[str], missing: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Each of ``tables`` that needs missing datasets -> these datasets, in the order of ``missing``."""
    found = {}
    for table in tables:
        needed = datasets_of(plan, table)
        found[table] = tuple(name for name in missing if name in needed)
    return {table: names for table, names in found.items() if names}


def _listed(lacking: Mapping[str, Sequence[str]]) -> str:
    """One line for all tables that lack the same datasets."""
    tables: dict[tuple[str, ...], list[str]] = {}
    for table, names in lacking.items():
        tables.setdefault(tuple(names), []).append(table)
    return "\n".join(f"  {', '.join(names)}: {', '.join(found)}" for names, found in tables.items())
