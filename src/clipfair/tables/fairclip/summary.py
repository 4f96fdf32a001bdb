"""Means over seeds of every row of a FairCLIP table, and their comparison with the published values.

A row is a model, a method and the attribute it is trained for.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clipfair.core.paths import RUN_LEVELS
from clipfair.metrics.statistics import summarise_runs
from clipfair.tables.common.compare import FINE_ROUNDING_STD, compare
from clipfair.tables.fairclip.measures import MEASURES, cell_name
from clipfair.tables.fairclip.selection import NONE

ROW = ["dataset", "balance", "model", "encoder", "row", "method", "attr", "lam"]
CELL = ["metric", "measure", "attribute", "group"]


def summarise(values: pd.DataFrame, settings: Mapping, measures: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every measure of every row.

    Parameters
    ----------
    values
        The result of :func:`clipfair.tables.fairclip.selection.final_values`.

    Returns
    -------
    One row per table row (the run levels without the seed; ``encoder`` and ``row``, its model and method in
    print) and metric (its name in print, unique within a table row; ``measure``, ``attribute`` and ``group``
    are its parts): ``unit``, ``mean``, ``std`` (ddof 1), ``n`` (seeds with a defined value), ``size`` (number
    of evaluated examples), ``published_dataset``, ``published_row``.
    """
    chosen = values[values["metric"].isin(measures)]
    cells = summarise_runs(chosen, [*RUN_LEVELS[:-1], "metric", "label", "group"], size=("n", "max"))
    cells = cells.rename(columns={"metric": "measure", "label": "attribute"})
    names = [MEASURES[measure] for measure in cells["measure"]]
    scale = np.array([name.scale for name in names])
    cells["mean"], cells["std"] = cells["mean"] * scale, cells["std"] * scale
    cells["unit"] = [name.unit for name in names]
    cells["metric"] = [
        cell_name(attribute, name.text, group)
        for attribute, name, group in zip(cells["attribute"], names, cells["group"], strict=True)
    ]
    cells = cells.assign(**describe_rows(cells, settings))
    ordered = in_order(
        cells,
        {
            "model": list(settings.get("encoders", {})),
            "method": list(settings["rows"]),
            "attr": attrs_of(settings),
            "dataset": [],
            "balance": [],
            "lam": sorted(set(cells["lam"]), key=float, reverse=True),
            "attribute": [""],
            "measure": list(measures),
        },
    )
    columns = [*ROW, *CELL, "unit", "mean", "std", "n", "size", "published_dataset", "published_row"]
    return ordered[columns]


def describe_rows(cells: pd.DataFrame, settings: Mapping) -> dict[str, list]:
    """The names of the rows in print, and the published rows that they are compared with.

    The name includes the training set, the balance and λ where a method has several of them.
    """
    rows = settings["rows"]
    formats = {"dataset": "on {}", "balance": "{}", "lam": "λ = {}"}
    same_method = cells.groupby(["model", "method", "attr"])
    several = pd.DataFrame({level: same_method[level].transform("nunique") > 1 for level in formats})
    named, published = [], []
    for cell, differs in zip(cells.itertuples(), several.itertuples(), strict=True):
        parts = [] if cell.attr == NONE else [cell.attr]
        parts += [formats[level].format(getattr(cell, level)) for level in formats if getattr(differs, level)]
        name, published_row = rows[cell.method]["name"], rows[cell.method].get("published")
        named.append(f"{name} ({', '.join(parts)})" if parts else name)
        published.append(published_row.format(attr=cell.attr) if published_row else None)
    encoders = [encoder_name(model, settings) for model in cells["model"]]
    return {"row": named, "encoder": encoders, "published_row": published, "published_dataset": encoders}


def attrs_of(settings: Mapping) -> list[str]:
    """The attributes that methods are trained for, in the order of the grids; ``none`` first."""
    return [NONE, *(attr for grid in settings["grids"].values() for attr in grid["attrs"])]


def encoder_name(model: str, settings: Mapping) -> str:
    """A model's name in print."""
    return settings.get("encoders", {}).get(model, model)


def in_order(frame: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Sort by several columns, each by a list of values; other values follow in order of appearance."""
    keys = []
    for column, order in orders.items():
        places = {value: place for place, value in enumerate(dict.fromkeys([*order, *frame[column]]))}
        keys.append(frame[column].map(places).to_numpy())
    return frame.iloc[np.lexsort(keys[::-1])].reset_index(drop=True)


def compare_with_published(
    table: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The table without its columns ``published_*``, and its comparison (None if nothing is published)."""
    own = table.drop(columns=["published_dataset", "published_row"])
    if published is None:
        return own, None
    compared = compare(
        table, published, incomparable=settings["incomparable"], rounding_std=FINE_ROUNDING_STD
    )
    return own, compared
