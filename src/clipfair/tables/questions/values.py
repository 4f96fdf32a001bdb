"""The values of a question: one for each unit, run and measure, and those that a contrast names."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.m4.selection import final
from clipfair.tables.questions.measures import FLOOR, MEANS, MEASURES, SEVERAL, THRESHOLD_FREE, describe

# What names the runs of one setting and how they were evaluated.
SETTING = ["world", "balance", "model", "method", "attr", "lam", "kind"]
LEVELS = ("balance", "model", "method", "lam", "kind")


def unit_values(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The value of each measure of each unit, at the end of each training.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    settings
        ``worlds`` (world -> dataset) and ``attributes``.

    Returns
    -------
    The columns :data:`SETTING`, ``unit`` (the seed), ``measure``, ``attribute`` (empty for measures of all
    examples) and ``value``, in the unit of the measure.
    """
    names = {dataset: world for world, dataset in settings["worlds"].items()}
    chosen = records[records["dataset"].isin(names) & records["group"].isna()]
    chosen = final(chosen).rename(columns={"metric": "measure", "seed": "unit"})
    chosen = chosen.assign(world=chosen["dataset"].map(names), attribute=chosen["label"].fillna(""))
    single = chosen[chosen["measure"].str.removesuffix(FLOOR).isin([*MEASURES.keys() - MEANS.keys()])]
    single = single[single["attribute"].isin(["", *settings["attributes"]])]
    values = pd.concat([single, *(_mean_over_evaluations(chosen, name) for name in MEANS)])
    scale = values["measure"].map({name: describe(name).scale for name in values["measure"].unique()})
    values = values.assign(value=values["value"] * scale.astype(float))
    return values[[*SETTING, "unit", "measure", "attribute", "value"]].reset_index(drop=True)


def _mean_over_evaluations(chosen: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The values of a measure that is a mean over evaluations and metrics."""
    entry = MEANS[measure]
    places = {(kind, metric) for kind, metrics in entry.metrics.items() for metric in metrics}
    inside = [place in places for place in zip(chosen["kind"], chosen["measure"], strict=True)]
    rows = chosen[np.array(inside, dtype=bool) & (chosen["attribute"] == "")]
    rows = rows.assign(
        kind=SEVERAL, measure=measure, value=rows["value"].abs() if entry.absolute else rows["value"]
    )
    return rows.groupby([*SETTING, "unit", "measure", "attribute"], sort=False, as_index=False)[
        "value"
    ].mean()


def select(
    values: pd.DataFrame, levels: Mapping[str, str | None], measure: str, attribute: str, units: Sequence[int]
) -> pd.Series:
    """A measure of the runs with some levels, by unit; NaN for a unit without one.

    Parameters
    ----------
    values
        The result of :func:`unit_values`, of one world.
    levels
        Of :data:`LEVELS`; None, or not given: any. ``kind`` is threshold_free unless given.

    Raises
    ------
    UserError
        If several settings of runs have the levels.
    """
    kind = SEVERAL if measure in MEANS else levels.get("kind") or THRESHOLD_FREE
    wanted = {level: levels.get(level) for level in LEVELS} | {"kind": kind, "measure": measure}
    wanted["attribute"] = "" if MEASURES[measure].overall else attribute
    chosen = values
    for column, value in wanted.items():
        if value is not None:
            chosen = chosen[chosen[column] == value]
    if chosen["unit"].duplicated().any():
        named = ", ".join(f"{column} {value}" for column, value in wanted.items() if value is not None)
        raise UserError(f"several settings of runs are {named}; name more levels in the contrast")
    return chosen.set_index("unit")["value"].reindex(units)


def choose_lams(values: pd.DataFrame, run: Mapping, settings: Mapping, units: Sequence[int]) -> pd.Series:
    """The λ of each unit that is chosen on validation, by the rule of the analysis plan.

    It is that of the lowest matched DPD among those whose AUC is at most ``largest_cost`` points below plain
    fine-tuning's; without any such λ that of the largest AUC. Of equal ones the smallest λ is chosen.

    Parameters
    ----------
    values
        The result of :func:`unit_values`, of one world.
    run
        The levels of the runs, of which λ is not read.
    settings
        The table's: ``plain``, ``attributes`` and ``rules``.

    Returns
    -------
    λ as it is spelled, by unit; None for a unit of which a run is missing.
    """
    attribute, largest_cost = settings["attributes"][0], settings["rules"]["largest_cost"]
    lams = sorted(values.loc[values["method"] == run["method"], "lam"].unique(), key=float)

    def by_lam(measure: str) -> pd.DataFrame:
        return pd.DataFrame(
            {lam: select(values, {**run, "lam": lam}, measure, attribute, units) for lam in lams}
        )

    auc, dpd = by_lam("validation_auc"), by_lam("validation_matched_dpd")
    plain = select(values, settings["plain"], "validation_auc", attribute, units)
    complete = auc.notna().all(axis=1) & dpd.notna().all(axis=1) & plain.notna()
    chosen = dict.fromkeys(units)
    for unit in auc.index[complete]:
        allowed = auc.loc[unit] >= plain[unit] - largest_cost
        chosen[unit] = dpd.loc[unit][allowed].idxmin() if allowed.any() else auc.loc[unit].idxmax()
    return pd.Series(chosen, dtype=object)
