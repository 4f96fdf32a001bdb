"""Additional results of single questions: correlations, chosen λ, and the variance due to draws."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from clipfair.metrics.relations import clustered_slope, unit_correlations
from clipfair.metrics.statistics import equivalence_test, mean_interval, nested_interval
from clipfair.plan.claim_words import CHOSEN
from clipfair.tables.questions.contrasts import models_of
from clipfair.tables.questions.measures import DISTANCES, FAIRNESS, THRESHOLD_FREE, measure_of
from clipfair.tables.questions.secondary import row_name
from clipfair.tables.questions.values import SETTING, choose_lams, select

# Nothing changes at a λ that leaves all of these within their margins of the plan.
UNCHANGED = ("auc", "matched-dpd", "matched-deodds", "auc-gap")
FEWEST_PAIRS = 2


def correlations(values: pd.DataFrame, settings: Mapping, units: Sequence[int]) -> pd.DataFrame:
    """Association of each distance with each fairness metric over the models of a unit, in each world.

    Returns
    -------
    One row each: world, distance, measure; mean, low, high (Spearman's correlation, t interval over units),
    n; slope, slope_low, slope_high (regression within units, interval over units) and r_squared. Empty if no
    claim of the question is about a correlation.
    """
    runs = [run for contrast in settings["contrasts"].values() for run in contrast["of"]]
    if not any(run["correlation"] for run in runs):
        return pd.DataFrame()
    rows = []
    for world in settings["worlds"]:
        models = models_of(values[values["world"] == world], settings["attributes"][0], units)
        for distance, measure in product(DISTANCES, FAIRNESS):
            found = mean_interval(unit_correlations(models, distance, measure, unit="unit"))
            slope = clustered_slope(models, distance, measure, unit="unit")
            numbers = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
            numbers |= {"slope": slope.slope, "slope_low": slope.low, "slope_high": slope.high}
            cell = {"world": world, "distance": distance, "measure": measure}
            rows.append({**cell, **numbers, "r_squared": slope.r_squared})
    return pd.DataFrame(rows)


def chosen_lams(values: pd.DataFrame, settings: Mapping, units: Sequence[int]) -> pd.DataFrame:
    """Frequency with which each λ is chosen on validation, and the largest λ up to which nothing changes.

    Returns
    -------
    One row per method whose λ a claim chooses: world, method, row, chosen (``λ: units``, the most frequent
    first) and unchanged_up_to (empty if the smallest λ changes something). Nothing changes at a λ if TOST,
    each at the plan's level, finds AUC, matched DPD, matched DEOdds and AUC gap equivalent to plain
    fine-tuning, at it and at all smaller ones.
    """
    rows = []
    for world, run in _chosen_runs(settings):
        of_world = values[values["world"] == world]
        counts = choose_lams(of_world, run, settings, units).value_counts()
        row = {"world": world, "method": run["method"], "row": settings["rows"][run["method"]]["name"]}
        row["chosen"] = ", ".join(f"{lam}: {count}" for lam, count in counts.items())
        rows.append({**row, "unchanged_up_to": _unchanged_up_to(of_world, run, settings, units)})
    return pd.DataFrame(rows)


def _chosen_runs(settings: Mapping) -> Iterator[tuple[str, Mapping]]:
    """Each world and runs whose λ is chosen in it, once."""
    claims = [claim for family in settings["planned"]["families"].values() for claim in family]
    seen = []
    for claim in claims:
        contrast = settings["contrasts"].get(claim["id"])
        if contrast is None:
            continue
        named = [{"method": method} for method in contrast["methods"]] or [{}]
        runs = [{**run, **own} for own in named for run in contrast["of"]] + contrast["less"]
        for run in runs:
            if run["lam"] == CHOSEN and (claim["world"], run) not in seen:
                seen.append((claim["world"], run))
    yield from seen


def _unchanged_up_to(values: pd.DataFrame, run: Mapping, settings: Mapping, units: Sequence[int]) -> str:
    attribute, last = settings["attributes"][0], ""
    for lam in sorted(values.loc[values["method"] == run["method"], "lam"].unique(), key=float):
        for metric in UNCHANGED:
            with_loss, without = (
                select(values, levels, measure_of(metric), attribute, units)
                for levels in ({**run, "lam": lam}, settings["plain"])
            )
            p_value = equivalence_test(with_loss - without, settings["margins"][metric]).p
            if not p_value <= settings["rules"]["level"]:
                return last
        last = lam
    return last


def variance_shares(values: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """A claimed metric over draws with two seeds, and the share of its variance that is due to draws.

    A run with seed s reads draw s modulo ``draws`` of its world. By one-way analysis of variance, the share
    is (MSB - MSW) / (MSB + MSW), MSB and MSW being the mean squares between and within draws; it is negative
    by chance where draws make no difference.

    Returns
    -------
    One row per setting with second seeds and metric: :data:`~.values.SETTING`, row, measure, mean, low, high
    (bootstrap interval that resamples draws, then seeds), share and n (draws).
    """
    claims = [claim for family in settings["planned"]["families"].values() for claim in family]
    measures = {measure_of(claim["metric"]) for claim in claims}
    attributes = ["", settings["attributes"][0]]
    inside = values["measure"].isin(measures) & values["attribute"].isin(attributes)
    chosen = values[inside & (values["kind"] == THRESHOLD_FREE)]
    rows = []
    for key, of_setting in chosen.groupby([*SETTING, "measure"], sort=False):
        cell = dict(zip([*SETTING, "measure"], key, strict=True))
        draws, by_unit = settings["draws"].get(cell["world"]), of_setting.set_index("unit")["value"]
        seconds = [] if draws is None else [unit for unit in by_unit.index if unit >= draws]
        pairs = [(by_unit[unit % draws], by_unit[unit]) for unit in seconds if unit % draws in by_unit]
        if len(pairs) >= FEWEST_PAIRS:
            named = {**cell, "row": row_name(cell, settings), "n": len(pairs)}
            rows.append(named | describe_pairs(np.array(pairs)))
    return pd.DataFrame(rows)


def describe_pairs(pairs: np.ndarray) -> dict[str, float]:
    """mean, low, high (bootstrap interval that resamples draws, then seeds) and share of (n, 2) values.

    Two values of each of n draws.
    """
    draws = np.repeat(np.arange(len(pairs)), 2)
    low, high = nested_interval(pd.DataFrame({"draw": draws, "value": pairs.ravel()}), ["draw"])
    return {"mean": float(pairs.mean()), "low": low, "high": high, "share": draw_share(pairs)}


def draw_share(pairs: np.ndarray) -> float:
    """(MSB - MSW) / (MSB + MSW) of (n, 2) values, two of each of n draws; NaN if all are equal."""
    between = 2 * float(np.var(pairs.mean(axis=1), ddof=1))
    within = float(np.mean(np.diff(pairs, axis=1) ** 2) / 2)
    return (between - within) / (between + within) if between + within else np.nan
