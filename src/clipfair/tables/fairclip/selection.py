"""The runs and values that a FairCLIP table shows.

The settings of a table choose its rows and its evaluation::

    rows:
      clip-ft: {name: CLIP-FT, published: CLIP-FT}
      fairclip: {name: FairCLIP, published: "FairCLIP-{attr}"}
    encoders: {vit-b-16: ViT-B/16}     # model -> its name in print; other models are shown by their id
    evaluation: fairvlmed-test         # needed if the grids have several of one kind; may be a list
"""

import re
from collections.abc import Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.paths import RUN_LEVELS
from clipfair.tables.common.records import check_complete

NONE = "none"


def final_values(records: pd.DataFrame, settings: Mapping, kind: str) -> pd.DataFrame:
    """The values of every run of the table's rows, at the end of its training.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    settings
        The table's; ``rows`` (method -> name and published row) chooses the methods.
    kind
        The kind of evaluation, e.g. ``group_fairness``.

    Returns
    -------
    The run levels, ``metric``, ``label`` and ``group`` (empty strings where there is none), ``value``, ``n``.

    Raises
    ------
    UserError
        If the grids have no evaluation of this kind, or several and the settings name none; if a run is
        missing; if a model is evaluated on several of the named evaluations.
    """
    evaluations = _evaluations(settings, kind)
    chosen = records[records["evaluation"].isin(evaluations) & records["method"].isin(settings["rows"])]
    grids = {name: _of_rows(grid, settings) for name, grid in settings["grids"].items()}
    check_complete(chosen, {**settings, "grids": grids}, evaluations)
    named = ", ".join(evaluations)
    if chosen.empty:
        methods = ", ".join(settings["rows"])
        raise UserError(
            f"table {settings['table']}: no grid evaluates one of its rows ({methods}) on {named}; "
            "name a grid that does in config.yaml"
        )
    if (chosen.groupby(list(RUN_LEVELS))["evaluation"].nunique() > 1).any():
        raise UserError(
            f"table {settings['table']}: a model is evaluated on several of {named}; name one for each model"
        )
    last = chosen.groupby(list(RUN_LEVELS))["examples"].transform("max")
    final = chosen.loc[chosen["examples"] == last, [*RUN_LEVELS, "metric", "label", "group", "value", "n"]]
    return final.fillna({"label": "", "group": ""}).reset_index(drop=True)


def _of_rows(grid: Mapping, settings: Mapping) -> dict:
    """The grid with only the methods that are rows of the table."""
    return {**grid, "methods": [method for method in grid["methods"] if method in settings["rows"]]}


def _evaluations(settings: Mapping, kind: str) -> list[str]:
    of_kind = [name for name, entry in settings["evaluations"].items() if entry["kind"] == kind]
    named = settings.get("evaluation", of_kind if len(of_kind) == 1 else [])
    chosen = [named] if isinstance(named, str) else list(named or [])
    if not chosen or not set(chosen) <= set(of_kind):
        known = ", ".join(of_kind) or "none"
        raise UserError(
            f"table {settings['table']}: its grids must have one evaluation of kind {kind}, or its settings "
            f"name it (evaluation: <id>); found {', '.join(chosen) or known!r}, of this kind are: {known}"
        )
    return chosen


def add_mean_distances(values: pd.DataFrame) -> pd.DataFrame:
    """Add, for every run and attribute, the mean over groups of each distance (with an empty group)."""
    distances = values[values["metric"].str.startswith("distance_") & (values["group"] != "")]
    keys = [*RUN_LEVELS, "metric", "label"]
    means = distances.groupby(keys, sort=False).agg(value=("value", "mean"), n=("n", "sum")).reset_index()
    return pd.concat([values, means.assign(group="")], ignore_index=True)


def trained_attributes(attr: str) -> set[str]:
    """The attributes that a run is trained for: both for ``race-gender``, none for ``none``."""
    return set(re.split(r"[^a-z]+", attr)) - {NONE}


def on_trained_attribute(frame: pd.DataFrame, attribute: str = "attribute") -> pd.Series:
    """Mark the rows whose attribute their method is trained for; all rows of a method trained for none."""
    kept = [
        not measured or not trained_attributes(attr) or measured in trained_attributes(attr)
        for attr, measured in zip(frame["attr"], frame[attribute], strict=True)
    ]
    return pd.Series(kept, index=frame.index, dtype=bool)


def check_single(values: pd.DataFrame, settings: Mapping) -> None:
    """Check that each method has one λ and one training set per attribute, as a comparison of methods needs.

    Raises
    ------
    UserError
        If a method has several.
    """
    for (method, attr), runs in values.groupby(["method", "attr"], sort=False):
        for level in ("dataset", "balance", "lam"):
            found = sorted(set(runs[level]))
            if len(found) > 1:
                raise UserError(
                    f"table {settings['table']}: method {method} (attr {attr}) has several of {level}: "
                    f"{', '.join(found)}; name grids with one of them in config.yaml"
                )
