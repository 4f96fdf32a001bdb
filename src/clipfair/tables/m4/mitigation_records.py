"""The records of mitigations on tables as one tidy table."""

from collections.abc import Iterable, Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.io import read_json

# The paper's column -> the metric in metrics.json. All are in percent.
METRICS = {
    "DP": "demographic_parity_difference",
    "Error": "error",
    "Balanced Error": "balanced_error",
}
CELL = ["task", "row", "metric"]


def read_repeats(records: Iterable[str], settings: Mapping) -> pd.DataFrame:
    """Every metric of every repeat of the methods of a table.

    Parameters
    ----------
    records
        metrics.json files of ``evaluate_mitigation``.
    settings
        ``table``, ``tasks``, ``rows`` and ``seeds`` of the table.

    Returns
    -------
    One row per task, method (``row``), metric (in the paper's words) and seed, in the order of the settings,
    with ``value`` in percent.

    Raises
    ------
    UserError
        If a repeat is missing from the records.
    """
    names = {(task["dataset"], task["sensitive"]): name for name, task in settings["tasks"].items()}
    repeats = pd.concat([_repeats(path, names) for path in records], ignore_index=True)
    _check_complete(repeats, settings)
    named = repeats.rename(columns={name: metric for metric, name in METRICS.items()})
    long = named.melt(["task", "row", "seed"], list(METRICS), var_name="metric")
    order = pd.MultiIndex.from_product(
        [list(settings["tasks"]), list(settings["rows"]), list(METRICS), list(settings["seeds"])],
        names=[*CELL, "seed"],
    )
    return long.set_index(order.names).loc[order].reset_index()


def _repeats(path: str, names: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    record = read_json(path)
    frame = pd.DataFrame(record["repeats"])[["seed", *METRICS.values()]]
    return frame.assign(task=names[record["dataset"], record["sensitive"]], row=record["method"])


def _check_complete(repeats: pd.DataFrame, settings: Mapping) -> None:
    present = set(repeats[["task", "row", "seed"]].itertuples(index=False, name=None))
    missing = [
        f"{task}/{row}/seed {seed}"
        for task in settings["tasks"]
        for row in settings["rows"]
        for seed in settings["seeds"]
        if (task, row, seed) not in present
    ]
    if missing:
        raise UserError(
            f"table {settings['table']}: {len(missing)} repeats are missing, first {missing[0]}; "
            "run snakemake on the table again"
        )
