"""The runs and values that a table of CLIP the Bias shows: conditions, labels, order, last checkpoints."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.common.records import check_complete

BASELINE = "baseline"
# The group of a value of all examples.
OVERALL = "all"
# The levels that identify a run within a condition.
RUN = ["model", "method", "seed"]


def conditions(settings: Mapping) -> list[str]:
    """The conditions that a table's models were trained on, without schedules.

    They are in the order of the table's setting ``conditions`` if it has one, else of its grids.
    """
    named = (balance for grid in settings["grids"].values() for balance in grid["balances"])
    known = [balance for balance in dict.fromkeys(named) if balance not in settings["schedules"]]
    return [balance for balance in settings.get("conditions", known) if balance in known]


def model_label(name: str, model: Mapping) -> str:
    """``B/16, r=768`` for a standard model, ``width 32, r=64`` for a small one; its id if it has neither."""
    tower = model.get("vision") or (f"width {model['width']}" if "width" in model else None)
    return name if tower is None or "dim" not in model else f"{tower}, r={model['dim']}"


def model_labels(settings: Mapping) -> dict[str, str]:
    """Model id -> its label; the ids themselves if two models have the same label."""
    labels = {name: model_label(name, model) for name, model in settings["models"].items()}
    return labels if len(set(labels.values())) == len(labels) else {name: name for name in labels}


def shown_evaluations(settings: Mapping) -> dict[str, str]:
    """The evaluations that a table shows -> their labels, without those that the study leaves out.

    Raises
    ------
    UserError
        If none of them is in the table's grids.
    """
    kept = {name: label for name, label in settings["shown"].items() if name in settings["evaluations"]}
    if not kept:
        raise UserError(
            f"table {settings['table']}: none of its evaluations ({', '.join(settings['shown'])}) is in its "
            "grids; add them to `training` in config.yaml"
        )
    return kept


def select_values(records: pd.DataFrame, settings: Mapping, metrics: Sequence[str]) -> pd.DataFrame:
    """The values of ``metrics`` in the evaluations that a table shows, for all labels together.

    Returns
    -------
    The records of all its runs, with additional columns panel (the evaluation's label), condition (the
    balance) and model_label, and with group ``all`` for all examples. They are in the order of groups (the
    table's ``groups``, else ``all`` alone), metrics, panels, models and conditions.

    Raises
    ------
    UserError
        If a run is missing, runs differ in more than model, balance and seed, no evaluation has a metric
        (unless one is left out of the study), or two with the same metric have the same label.
    """
    labels = shown_evaluations(settings)
    check_complete(records, settings, labels)
    chosen = records[records["evaluation"].isin(labels) & records["metric"].isin(metrics)]
    chosen = chosen[chosen["label"].isna()]
    _check_metrics(chosen, settings, metrics)
    _check_alike(chosen, settings)
    chosen = chosen.assign(
        panel=chosen["evaluation"].map(labels),
        condition=chosen["balance"],
        model_label=chosen["model"].map(model_labels(settings)),
        group=chosen["group"].fillna(OVERALL),
    )
    _check_labels(chosen, settings)
    order = {"group": settings.get("groups", [OVERALL]), "metric": metrics, "panel": labels.values()}
    order |= {"model": settings["models"], "condition": all_balances(settings)}
    return in_order(chosen, order)


def all_balances(settings: Mapping) -> list[str]:
    """The conditions, then the schedules."""
    return [*conditions(settings), *settings["schedules"]]


def in_order(frame: pd.DataFrame, order: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """Sort by the columns of ``order``, each in the order of its values; drop rows with other values."""
    places = {column: {value: at for at, value in enumerate(known)} for column, known in order.items()}
    kept = frame[
        pd.concat([frame[column].isin(known) for column, known in places.items()], axis=1).all(axis=1)
    ]
    by = list(places)
    return kept.sort_values(
        by, key=lambda column: column.map(places[column.name]), kind="stable", ignore_index=True
    )


def final(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last checkpoint."""
    run = ["dataset", "balance", "model", "method", "attr", "lam", "seed"]
    return frame[frame["examples"] == frame.groupby(run)["examples"].transform("max")]


def final_of_conditions(records: pd.DataFrame, settings: Mapping, metrics: Sequence[str]) -> pd.DataFrame:
    """The values of :func:`select_values` at the last checkpoint of each run, without schedules."""
    chosen = final(select_values(records, settings, metrics))
    return chosen[~chosen["balance"].isin(settings["schedules"])]


def of_grids(records: pd.DataFrame, settings: Mapping, names: Iterable[str]) -> pd.DataFrame:
    """The records of the runs of some of a table's grids; none for a grid that the table does not have."""
    lists = {"balance": "balances", "model": "models", "method": "methods", "attr": "attrs", "lam": "lams"}
    lists |= {"seed": "seeds"}
    chosen = pd.Series(False, index=records.index)
    for name in names:
        grid = settings["grids"].get(name)
        if grid is not None:
            inside = records["dataset"] == grid["dataset"]
            for level, entry in lists.items():
                inside &= records[level].isin(grid[entry])
            chosen |= inside
    return records[chosen]


def _check_metrics(chosen: pd.DataFrame, settings: Mapping, metrics: Sequence[str]) -> None:
    found = set(chosen["metric"])
    missing = [metric for metric in metrics if metric not in found]
    left_out = set(settings["shown"]) - set(settings["evaluations"])
    if missing and not (left_out and found):
        raise UserError(
            f"table {settings['table']}: no metric {missing[0]!r} in "
            f"{', '.join(shown_evaluations(settings))}; choose others in its settings in config.yaml"
        )


def _check_alike(chosen: pd.DataFrame, settings: Mapping) -> None:
    for level in ("dataset", "method", "attr", "lam"):
        found = sorted(chosen[level].unique())
        if len(found) > 1:
            raise UserError(
                f"table {settings['table']}: its runs have several values of {level} ({', '.join(found)}); "
                "give it grids that differ in balance, model and seed only"
            )


def _check_labels(chosen: pd.DataFrame, settings: Mapping) -> None:
    for (panel, metric), names in chosen.groupby(["panel", "metric"], sort=False)["evaluation"]:
        if names.nunique() > 1:
            raise UserError(
                f"table {settings['table']}: {' and '.join(names.unique())} are both shown as {panel!r}, "
                f"with {metric}; give each evaluation its own label in config.yaml"
            )
