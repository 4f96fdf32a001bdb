"""The evaluations of trained models as one tidy table, and the check that it is complete."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.paths import RUN_LEVELS

EVALUATION = ["evaluation", "kind", "on", "split"]
ROW = ["examples", "metric", "label", "group", "value", "n", "low", "high"]
COLUMNS = [*RUN_LEVELS, *EVALUATION, *ROW]


def read_records(folders: Sequence[str]) -> pd.DataFrame:
    """Read every value of every ``metrics.json`` below the folders.

    Parameters
    ----------
    folders
        Folders of evaluated batches, with ``seed~<seed>/on~<evaluation>/metrics.json``.

    Returns
    -------
    One row per value, in the order of the folders, then of seeds, evaluations and the file: the seven
    levels of the run; evaluation, kind, on (the dataset evaluated), split; examples (seen in training by
    the evaluated checkpoint), metric, label, group (NaN: all examples), value (NaN where undefined), n, low
    and high (95% interval, NaN if there is none).

    Raises
    ------
    UserError
        If a folder has no evaluation, or a file cannot be read as one.
    """
    columns: dict[str, list] = {name: [] for name in COLUMNS}
    for folder in folders:
        for path in _files(Path(folder)):
            _append(columns, path)
    frame = pd.DataFrame(columns)
    return frame.astype(
        {"seed": "int64", "examples": "int64", "n": "int64", "value": float, "low": float, "high": float}
        | {"label": "str", "group": "str"}
    )


def missing_runs(records: pd.DataFrame, settings: Mapping, evaluations: Iterable[str]) -> list[str]:
    """The runs of a table's grids that have no record of one of ``evaluations``, as ``<key>/on~<id>``.

    Only the evaluations that a grid names are expected of its runs.
    """
    wanted = set(evaluations)
    present = set(records[[*RUN_LEVELS, "evaluation"]].drop_duplicates().itertuples(index=False, name=None))
    lists = ("balances", "models", "methods", "attrs", "lams", "seeds", "evaluations")
    missing = {}
    for grid in settings["grids"].values():
        for *levels, evaluation in product(*(grid[name] for name in lists)):
            entry = (grid["dataset"], *levels, evaluation)
            if evaluation in wanted and entry not in present:
                key = "/".join(f"{level}~{value}" for level, value in zip(RUN_LEVELS, entry, strict=False))
                missing[f"{key}/on~{evaluation}"] = None
    return list(missing)


def check_complete(records: pd.DataFrame, settings: Mapping, evaluations: Iterable[str]) -> None:
    """Check that no run of a table is missing.

    Raises
    ------
    UserError
        If a run of the table's grids is not in the records; the message has the command that makes it.
    """
    missing = missing_runs(records, settings, evaluations)
    if missing:
        paper, name = settings["table"].split("/")
        target = f"results/tables/{settings['study']}/{paper}/{name}.csv"
        more = "" if len(missing) == 1 else f" and {len(missing) - 1} more"
        raise UserError(
            f"table {settings['table']}: no evaluation of {missing[0]}{more}; make the missing ones with "
            f"snakemake --cores 2 --config study={settings['study']} -- {target}"
        )


def _files(folder: Path) -> list[Path]:
    found = list(folder.glob("seed~*/on~*/metrics.json"))
    if not found:
        raise UserError(
            f"{folder}: no evaluation there; expected seed~<seed>/on~<evaluation>/metrics.json; make it with "
            f"snakemake --cores 2 {_study_option(folder)}{folder}"
        )
    return sorted(found, key=lambda path: (_seed(path), path.parent.name))


def _study_option(folder: Path) -> str:
    """The study as an option of Snakemake's command line, if the folder is one of evaluations."""
    _, found, below = folder.as_posix().partition("results/evaluate/")
    return f"--config study={below.split('/')[0]} -- " if found else ""


def _seed(path: Path) -> int:
    return int(path.parent.parent.name.partition("~")[2])


def _append(columns: dict[str, list], path: Path) -> None:
    """Append the rows of one file to ``columns``."""
    try:
        record = json.loads(path.read_bytes())
        same = [record["run"][level] for level in RUN_LEVELS]
        same += [record["evaluation"], record["kind"], record["dataset"], record["split"]]
        rows = [[row[name] for name in ROW] for row in record["rows"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read as an evaluation ({error!r}); evaluate it again") from None
    for name, value in zip([*RUN_LEVELS, *EVALUATION], same, strict=True):
        columns[name].extend([value] * len(rows))
    for index, name in enumerate(ROW):
        columns[name].extend(row[index] for row in rows)
