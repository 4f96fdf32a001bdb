"""The claims of a question with their verdicts, by the rules of the analysis plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import MeanInterval, mean_interval
from clipfair.metrics.verdicts import HOLDS, UNDECIDED
from clipfair.plan.claim_words import worlds_of
from clipfair.tables.common.findings import Check, Claim, judge_checks
from clipfair.tables.questions.contrasts import has_groups, side_values
from clipfair.tables.questions.measures import FLOOR, measure_of
from clipfair.tables.questions.values import select

NO_HEADROOM = f"{UNDECIDED} (no headroom)"


@dataclass(frozen=True)
class ClaimData:
    """A planned claim with its data.

    Attributes
    ----------
    family : its family.
    planned : its entry in the plan.
    name : its id; of a repeated claim with the method.
    of, less : in print.
    worlds : those that it is about.
    sides : columns ``of`` and ``less``, one row per unit; NaN where a run is missing.
    worst : mean change of the AUC of the worst group; NaN if the metric has no groups.
    """

    family: str
    planned: Mapping
    name: str
    of: str
    less: str
    worlds: list[str]
    sides: pd.DataFrame
    worst: float

    @property
    def differences(self) -> pd.Series:
        """One per unit that has all runs."""
        return (self.sides["of"] - self.sides["less"]).dropna()


def planned_units(settings: Mapping) -> list[int]:
    """The units of a question, or of a trial run; second seeds of a draw are none."""
    return list(range(settings["trial_units"] or settings["planned"]["units"]))


def check_worlds(values: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The checks of the worlds by plain fine-tuning, whose claims are judged only if it passes.

    Returns
    -------
    One row per world with a check: world, metric (a measure), mean, low, high, n, limit, passes. The floor is
    subtracted where the check is against it, and the upper end of the interval must then be below the limit;
    otherwise the mean must reach it.
    """
    rows = []
    for world, check in settings["checks"].items():
        measure, plain = measure_of(check["metric"]), settings["plain"]
        of_world = values[values["world"] == world]
        attribute, units = settings["attributes"][0], planned_units(settings)
        found = select(of_world, plain, measure, attribute, units)
        is_fair = check["at_least"] is None
        if is_fair:
            found = found - _floor(of_world, plain, measure, attribute, units)
        interval = mean_interval(found)
        limit = check["at_most_above_floor"] if is_fair else check["at_least"]
        passes = interval.high <= limit if is_fair else interval.mean >= limit
        values_of_row = {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}
        rows.append(
            {"world": world, "metric": measure, **values_of_row, "limit": limit, "passes": bool(passes)}
        )
    return pd.DataFrame(rows, columns=["world", "metric", "mean", "low", "high", "n", "limit", "passes"])


def _floor(values: pd.DataFrame, plain: Mapping, measure: str, attribute: str, units: list[int]) -> pd.Series:
    """The sampling floor of a measure of plain fine-tuning, by unit."""
    floors = values[values["measure"] == measure + FLOOR].assign(measure=measure)
    return select(floors, plain, measure, attribute, units)


def collect_claims(values: pd.DataFrame, settings: Mapping) -> list[ClaimData]:
    """The claims of a question that have a contrast, repeated ones for each of their methods."""
    return [
        _collect(values, settings, family, planned, method)
        for family, claims in settings["planned"]["families"].items()
        for planned in claims
        if planned["id"] in settings["contrasts"]
        for method in settings["contrasts"][planned["id"]]["methods"] or [None]
        if set(worlds_of(planned["world"], list(settings["worlds"]))) <= settings["worlds"].keys()
    ]


def _collect(
    values: pd.DataFrame, settings: Mapping, family: str, planned: Mapping, method: str | None
) -> ClaimData:
    contrast, units = settings["contrasts"][planned["id"]], planned_units(settings)
    named = {} if method is None else {"method": method}
    sides = {"of": [{**run, **named} for run in contrast["of"]], "less": contrast["less"]}
    worlds = worlds_of(planned["world"], list(settings["worlds"]))

    def both(metric: str) -> pd.DataFrame:
        found = {
            name: side_values(values, side, metric, worlds, settings, units) for name, side in sides.items()
        }
        return pd.DataFrame(found)

    worst = both("worst-auc") if has_groups(planned["metric"]) else pd.DataFrame({"of": [], "less": []})
    return ClaimData(
        family=family,
        planned=planned,
        name=planned["id"] if method is None else f"{planned['id']} {method}",
        of=planned["of"] if method is None else settings["rows"][method]["name"],
        less=planned["less"],
        worlds=worlds,
        sides=both(planned["metric"]),
        worst=float((worst["of"] - worst["less"]).mean()),
    )


def judge(claims: list[ClaimData], checks: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The table of the claims with their verdicts.

    A claim in a world that fails its check is not judged, nor is any in a trial run; the others of its family
    are corrected among themselves.

    Returns
    -------
    One row per claim: claim, family, world, metric, unit, of, less, expected, margin, n, missing (units
    without one of the runs), of_mean, less_mean, mean, low, high, first_half, second_half, p_difference and
    p_equivalence (after Holm's correction), worst_auc (mean change), levelling_down, verdict; and share,
    share_low, share_high of a published gain, where the settings have one.
    """
    failing = set(checks.loc[~checks["passes"].astype(bool), "world"])
    rows = []
    for family in dict.fromkeys(claim.family for claim in claims):
        members = [claim for claim in claims if claim.family == family]
        judged = [claim for claim in members if not _reason(claim, failing, settings)]
        verdicts = judge_checks([_check(claim) for claim in judged]).to_dict("records")
        found = {claim.name: verdict for claim, verdict in zip(judged, verdicts, strict=True)}
        for claim in members:
            unjudged = {"verdict": _reason(claim, failing, settings)}
            rows.append(_row(claim, found.get(claim.name, unjudged), settings))
    return pd.DataFrame(rows)


def _reason(claim: ClaimData, failing: set[str], settings: Mapping) -> str:
    """The reason why a claim is not judged; empty if it is."""
    if settings["trial_units"] is not None:
        return f"not judged ({settings['trial_units']} of {settings['planned']['units']} units)"
    return NO_HEADROOM if failing & set(claim.worlds) else ""


def _check(claim: ClaimData) -> Check:
    planned = claim.planned
    words = Claim(claim.name, claim.of, planned["metric"], planned["expected"], planned["margin"])
    return Check(words, claim.differences)


def _row(claim: ClaimData, verdict: Mapping, settings: Mapping) -> dict:
    planned, interval, complete = claim.planned, mean_interval(claim.differences), claim.sides.dropna()
    closes = verdict["verdict"] == HOLDS and planned["expected"] == "lower"
    gain = settings["published_gains"].get(planned["id"])
    tested = ("first_half", "second_half", "p_difference", "p_equivalence")
    return {
        "claim": claim.name,
        "family": claim.family,
        "world": planned["world"],
        "metric": settings["metrics"][planned["metric"]]["name"],
        "unit": settings["metrics"][planned["metric"]]["unit"],
        "of": claim.of,
        "less": claim.less,
        "expected": planned["expected"],
        "margin": planned["margin"],
        "n": interval.n,
        "missing": len(claim.sides) - interval.n,
        "of_mean": complete["of"].mean(),
        "less_mean": complete["less"].mean(),
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        **{name: verdict.get(name, np.nan) for name in tested},
        "worst_auc": claim.worst,
        "levelling_down": bool(closes and claim.worst < -settings["rules"]["levelling_down"]),
        "verdict": verdict["verdict"],
        **({} if gain is None else _share(interval, gain)),
    }


def _share(interval: MeanInterval, gain: float) -> dict[str, float]:
    """The share of a published gain that a difference amounts to, with its interval."""
    low, high = sorted([interval.low / gain, interval.high / gain])
    return {"share": interval.mean / gain, "share_low": low, "share_high": high}


def unit_rows(claims: list[ClaimData]) -> Iterator[dict]:
    """The difference of each claim in each unit, for the figure."""
    for claim in claims:
        for unit, difference in claim.differences.items():
            yield {"claim": claim.name, "unit_number": unit, "mean": difference}
