"""The difference of a claim, unit by unit: sums of values of runs minus other sums."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clipfair.metrics.relations import unit_correlations
from clipfair.plan.claim_words import CHOSEN
from clipfair.tables.questions.measures import DISTANCES, FAIRNESS, MEANS, THRESHOLD_FREE, measure_of
from clipfair.tables.questions.values import choose_lams, select

SPREAD, RANK_CORRELATION = "spread", "rank-correlation"


def side_values(
    values: pd.DataFrame,
    side: Sequence[Mapping],
    metric: str,
    worlds: Sequence[str],
    settings: Mapping,
    units: Sequence[int],
) -> pd.Series:
    """The weighted sum of values that one side of a contrast is, by unit; zero without values.

    Parameters
    ----------
    values
        The result of :func:`~.values.unit_values`.
    side
        ``of`` or ``less`` of a contrast (:class:`clipfair.plan.table_settings.RunValue`).
    metric
        Of the analysis plan.
    worlds
        The mean over these is taken.
    settings
        The table's; ``plain``, ``attributes`` and ``rules``.

    Returns
    -------
    NaN for a unit that lacks a run in one of the worlds.
    """
    total = pd.Series(0.0, index=list(units))
    for run in side:
        of_worlds = [
            _value(values[values["world"] == world], run, metric, settings, units) for world in worlds
        ]
        total = total + run["weight"] * pd.concat(of_worlds, axis=1).mean(axis=1, skipna=False)
    return total


def _value(
    values: pd.DataFrame, run: Mapping, metric: str, settings: Mapping, units: Sequence[int]
) -> pd.Series:
    """One value per unit, in one world."""
    if metric == RANK_CORRELATION:
        models = models_of(values, settings["attributes"][0], units)
        found = unit_correlations(models, *run["correlation"], unit="unit").reindex(units)
        return found[~found.index.isin(settings["missing_units"])].reindex(units)
    found = _of_runs(values, run, measure_of(metric), settings, units)
    return (found - found.median()).abs() if metric == SPREAD else found


def _of_runs(
    values: pd.DataFrame, run: Mapping, measure: str, settings: Mapping, units: Sequence[int]
) -> pd.Series:
    attribute = settings["attributes"][0]
    if run["lam"] != CHOSEN:
        return select(values, run, measure, attribute, units)
    lams = choose_lams(values, run, settings, units)
    by_lam = {
        lam: select(values, {**run, "lam": lam}, measure, attribute, units) for lam in lams.dropna().unique()
    }
    return pd.Series({unit: by_lam[lam][unit] if lam in by_lam else np.nan for unit, lam in lams.items()})


def models_of(values: pd.DataFrame, attribute: str, units: Sequence[int]) -> pd.DataFrame:
    """One row per fine-tuned model of the units, with a column for each measure of an attribute."""
    inside = (
        values["unit"].isin(units) & (values["kind"] == THRESHOLD_FREE) & (values["attribute"] == attribute)
    )
    index = ["world", "unit", "balance", "model", "method", "attr", "lam"]
    wide = values[inside].pivot(index=index, columns="measure", values="value")
    return wide.reindex(columns=[*DISTANCES, *FAIRNESS]).reset_index()


def has_groups(metric: str) -> bool:
    """Return True for a gap between groups, which may close by levelling down."""
    return metric not in (RANK_CORRELATION, SPREAD, "auc") and measure_of(metric) not in MEANS
