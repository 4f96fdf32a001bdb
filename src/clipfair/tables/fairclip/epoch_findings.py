"""Finding F5 of the FairCLIP reproduction: distances and metrics over the epochs."""

from collections.abc import Iterator, Mapping

import pandas as pd

from clipfair.metrics.statistics import mean_interval
from clipfair.tables.common.findings import BELOW, Check, Claim, check_interval
from clipfair.tables.fairclip.epochs import correlation_over_epochs, make_series, read_epochs
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.metric_findings import GAINS
from clipfair.tables.fairclip.roles import VARIANTS, Roles

WEAK = 0.3  # a rank correlation below it counts as none
DISTANCES = ("distance_wasserstein", "distance_scale_free")


def check_correlations(model: str, roles: Roles, settings: Mapping) -> Iterator[Check]:
    """F5: over the epochs, a smaller distance does not go with better metrics."""
    if not settings.get("epochs"):
        return
    series = make_series(read_epochs(settings), [*GAINS, *DISTANCES])
    series = series[series["model"] == model]
    for names in (VARIANTS, ("fine_tuned",)):
        methods = [method for method in map(roles.get, names) if method is not None]
        chosen = series[series["method"].isin(methods)]
        if chosen.empty:
            continue
        for distance in DISTANCES:
            for measure, sign in GAINS.items():
                better = "larger AUC" if sign > 0 else f"smaller {MEASURES[measure].text}"
                claim = Claim(
                    "F5",
                    f"a smaller {MEASURES[distance].text} does not go with a {better}",
                    "Spearman's rank correlation over epochs, positive: they go together",
                    WEAK,
                    BELOW,
                )
                correlation = mean_interval(-sign * _correlation_by_seed(chosen, distance, measure))
                test = "t interval over seeds, of the mean over runs and attributes"
                yield check_interval(claim, correlation, test=test, methods=", ".join(methods))


def _correlation_by_seed(series: pd.DataFrame, distance: str, measure: str) -> pd.Series:
    """The rank correlation over epochs by seed, as the mean over runs and attributes."""
    keys = ["seed", "method", "attr", "lam", "attribute"]
    wide = series.pivot(index=[*keys, "epoch"], columns="measure", values="value")
    found = {key: correlation_over_epochs(run, distance, measure) for key, run in wide.groupby(level=keys)}
    by_run = pd.Series(found).rename_axis(keys)
    return by_run.groupby("seed").mean()
