"""Secondary values of a question, reported with intervals and without a verdict."""

from collections.abc import Mapping, Sequence

import pandas as pd

from clipfair.metrics.statistics import mean_interval
from clipfair.tables.questions.measures import FLOOR, MEASURES, SEVERAL, THRESHOLD_FREE, describe
from clipfair.tables.questions.values import SETTING

CELL = [*SETTING, "measure", "attribute"]
# Of attributes that claims are not about.
OF_OTHER_ATTRIBUTES = [
    *("worst_auc", "matched_dpd", "matched_deodds", "auc_gap", "mean_dpd", "abroca", "calibration_gap"),
]


def summarise(values: pd.DataFrame, settings: Mapping, units: Sequence[int] | None = None) -> pd.DataFrame:
    """Mean and t interval over units of each measure and setting, and of its difference from its baseline.

    Parameters
    ----------
    values
        The result of :func:`~.values.unit_values`.
    settings
        The table's; ``plain``, ``baselines`` (method -> method), ``attributes``, ``rows``.
    units
        Those that count; all unless given.

    Returns
    -------
    One row per setting and measure: :data:`CELL`, row (the method in print), unit, mean, low, high, n;
    baseline (a method, empty without one), difference, difference_low, difference_high.
    """
    first = settings["attributes"][0]
    kept = values["attribute"].isin(["", first]) | values["measure"].isin(OF_OTHER_ATTRIBUTES)
    kept &= True if units is None else values["unit"].isin(units)
    wide = values[kept].pivot(index="unit", columns=CELL, values="value")
    rows = []
    for key in wide.columns:
        cell = dict(zip(CELL, key, strict=True))
        baseline = _baseline(cell, settings)
        interval = mean_interval(wide[key])
        row = {**cell, "row": row_name(cell, settings), "unit": describe(cell["measure"]).unit}
        row |= {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}
        base = tuple({**cell, **baseline}.values())
        if baseline and base != key and base in wide:
            difference = mean_interval(wide[key] - wide[base])
            row |= {"baseline": baseline["method"], "difference": difference.mean}
            row |= {"difference_low": difference.low, "difference_high": difference.high}
        rows.append(row)
    return _in_order(pd.DataFrame(rows), settings)


def row_name(cell: Mapping, settings: Mapping) -> str:
    """A method with λ, and with how its models are used where that is no threshold-free evaluation."""
    name = settings["rows"][cell["method"]]["name"]
    parts = [f"λ {cell['lam']}"] if cell["lam"] != "0" else []
    parts += [cell["balance"]] if cell["balance"] != "none" else []
    parts += [cell["kind"].replace("_", " ")] if cell["kind"] not in (THRESHOLD_FREE, SEVERAL) else []
    return ", ".join([name, *parts])


def _baseline(cell: Mapping, settings: Mapping) -> dict[str, str]:
    """The levels in which the baseline differs; none without a baseline.

    That of other thresholds or another last layer is the same model as it is.
    """
    if settings["plain"] is None:
        return {}
    if cell["kind"] not in (THRESHOLD_FREE, SEVERAL):
        return {"kind": THRESHOLD_FREE, "method": cell["method"]}
    method = settings["baselines"].get(cell["method"], settings["plain"]["method"])
    return {"method": method, "attr": "none", "lam": "0"}


def _in_order(table: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """Sort by world, method as in the grids, λ, kind, attribute and measure."""
    orders = {
        "world": list(settings["worlds"]),
        "method": list(settings["rows"]),
        "attribute": ["", *settings["attributes"]],
        "measure": [name for measure in MEASURES for name in (measure, measure + FLOOR)],
    }
    keys = {
        column: table[column].map({value: place for place, value in enumerate(order)})
        for column, order in orders.items()
    }
    keys["lam"] = table["lam"].astype(float)
    ordered = pd.DataFrame(
        {name: keys.get(name, table[name]) for name in [*orders, "lam", "kind", "balance"]}
    )
    by = ["world", "method", "balance", "lam", "kind", "attribute", "measure"]
    return table.loc[ordered.sort_values(by, kind="stable").index].reset_index(drop=True)
