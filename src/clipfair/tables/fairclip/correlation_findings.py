"""Finding F5 of the FairCLIP reproduction: distances and metrics of the models of one seed."""

from collections.abc import Iterator

import pandas as pd

from clipfair.metrics.relations import unit_correlations
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.common.findings import Check, Claim
from clipfair.tables.fairclip.measures import MEASURES, OVERALL
from clipfair.tables.fairclip.metric_findings import GAINS
from clipfair.tables.fairclip.roles import Roles

DISTANCES = ("distance_wasserstein", "distance_scale_free")


def check_correlations(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F5: among the fine-tuned models of a seed, those with a smaller distance have better metrics."""
    # Training itself changes both, so the model before it is left out.
    trained = values[values["method"] != roles.get("zero_shot")]
    methods = ", ".join(dict.fromkeys(trained["method"]))
    for distance in DISTANCES:
        for measure, sign in GAINS.items():
            better = "larger AUC" if sign > 0 else f"smaller {MEASURES[measure].text}"
            claim = Claim(
                "F5",
                f"a smaller {MEASURES[distance].text} goes with a {better}",
                "Spearman's rank correlation over the models of a seed, mean over attributes; positive: they "
                "go together",
                "higher",
                read_analysis_plan().margin("rank-correlation"),
            )
            yield Check(claim, -sign * _correlations(trained, distance, measure), methods)


def _correlations(values: pd.DataFrame, distance: str, measure: str) -> pd.Series:
    """The rank correlation over the models of each seed, as the mean over attributes."""
    pairs = _distances(values, distance).merge(_metric(values, measure))
    return unit_correlations(pairs, "distance", "metric", unit="seed", within=["label"])


def _distances(values: pd.DataFrame, distance: str) -> pd.DataFrame:
    """The distance by seed, attribute and model, as the mean over the attribute's groups."""
    chosen = values[(values["metric"] == distance) & (values["group"] != "")]
    means = chosen.groupby(["seed", "label", "method", "attr"])["value"].mean()
    return means.rename("distance").reset_index()


def _metric(values: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The metric by seed and model, and by attribute if it has one."""
    chosen = values[(values["metric"] == measure) & (values["group"] == "")]
    keys = ["seed", "method", "attr"]
    if measure in OVERALL:
        chosen = chosen[chosen["label"] == ""]
    else:
        keys.append("label")
    return chosen[[*keys, "value"]].rename(columns={"value": "metric"})
