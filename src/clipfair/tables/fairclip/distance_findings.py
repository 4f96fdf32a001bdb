"""Findings F1, F3 and F9 of the FairCLIP reproduction: distances between the scores of groups."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import mean_interval
from clipfair.tables.common.findings import ABOVE, BELOW, Check, Claim, check_interval
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.paired import log10, paired_interval
from clipfair.tables.fairclip.roles import Roles

HALVED = float(np.log10(0.5))  # a drop counts if it is at least by half
CONVERGED = 0.1  # a relative error below it counts as converged

# The distances that the reproduction reports (converged or not), and the score of the paper's equations.
FALLING = ("distance_square_sinkhorn", "distance_square_wasserstein", "distance_wasserstein")
FREE_OF_SCALE = ("distance_square_scale_free", "distance_scale_free")

PAIRED = "t interval over seeds, paired"


def check_distances(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F1: distances fall as the reproduction reports, but not in units of the spread of the scores."""
    for role in ("released", "aligned", "several"):
        for reference in (roles.get("zero_shot"), roles.baseline(role)):
            method = roles.get(role)
            if method is None or reference is None:
                continue
            for measure in (*FALLING, *FREE_OF_SCALE):
                drops = measure in FALLING
                text = "falls by half or more" if drops else "does not fall by half, free of scale"
                claim = Claim(
                    "F1",
                    f"the distance {text}",
                    f"log10 ratio of the {MEASURES[measure].text} (mean over groups)",
                    HALVED,
                    BELOW if drops else ABOVE,
                )
                ratio = paired_interval(values, method, reference, measure, log=True)
                yield check_interval(claim, ratio, test=PAIRED, methods=f"{method} against {reference}")


def check_spread(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F3: the released regulariser reduces the score that it acts on, whatever the groups."""
    claim = Claim(
        "F3",
        "the released regulariser at least halves the spread of the score",
        "log10 ratio of the standard deviation of the test scores diag(LL)",
        HALVED,
        BELOW,
    )
    for method, reference in roles.pairs("released"):
        ratio = _log_spread(values, method) - _log_spread(values, reference)
        interval = mean_interval(ratio.dropna())
        yield check_interval(claim, interval, test=PAIRED, methods=f"{method} against {reference}")


def _log_spread(values: pd.DataFrame, method: str) -> pd.Series:
    """The decimal logarithm of the score's standard deviation by seed, as the mean over a method's runs.

    The two exact distances have the same numerator, so their ratio is the variance, for every group.
    """
    chosen = values[(values["method"] == method) & (values["group"] != "")]
    wide = chosen.pivot_table(index=["seed", "attr", "label", "group"], columns="metric", values="value")
    ratio = log10(wide["distance_square_wasserstein"] / wide["distance_square_scale_free"])
    return (ratio / 2).groupby("seed").mean()


def check_convergence(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F9: the distance does not converge with the released settings."""
    claim = Claim(
        "F9",
        "the distance as released is more than ten per cent off the exact one",
        "relative error of the distance as released, mean over groups",
        CONVERGED,
        ABOVE,
    )
    for role in ("zero_shot", "fine_tuned"):
        method = roles.get(role)
        if method is None:
            continue
        chosen = values[(values["method"] == method) & (values["group"] != "")]
        wide = chosen.pivot_table(index=["seed", "label", "group"], columns="metric", values="value")
        # Relative, since a distance that did not converge can be negative.
        error = (wide["distance_square_sinkhorn"] / wide["distance_square_wasserstein"] - 1).abs()
        interval = mean_interval(error.groupby("seed").mean())
        yield check_interval(claim, interval, test="t interval over seeds", methods=method)
