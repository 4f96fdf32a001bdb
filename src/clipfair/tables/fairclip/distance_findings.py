"""Findings F1, F3 and F9 of the FairCLIP reproduction: distances between the scores of groups."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clipfair.tables.common.findings import Check, Claim
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.paired import log10, paired_differences
from clipfair.tables.fairclip.roles import Roles

# The analysis plan has no claim on distances; both were fixed before any run.
DOUBLED = float(np.log10(2))  # a ratio matters from a factor of two
CONVERGED = 0.1  # a relative error matters from ten per cent

# The distances that the reproduction reports (converged or not), and the score of the paper's equations.
FALLING = ("distance_square_sinkhorn", "distance_square_wasserstein", "distance_wasserstein")
FREE_OF_SCALE = ("distance_square_scale_free", "distance_scale_free")


def check_distances(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F1: distances fall as the reproduction reports, but not in units of the spread of the scores."""
    for role in ("released", "aligned", "several"):
        for reference in (roles.get("zero_shot"), roles.baseline(role)):
            method = roles.get(role)
            if method is None or reference is None:
                continue
            for measure in (*FALLING, *FREE_OF_SCALE):
                falls = measure in FALLING
                claim = Claim(
                    "F1",
                    "the distance falls" if falls else "the distance stays, free of scale",
                    f"log10 ratio of the {MEASURES[measure].text} (mean over groups)",
                    "lower" if falls else "equivalent",
                    DOUBLED,
                )
                ratio = paired_differences(values, method, reference, measure, log=True)
                yield Check(claim, ratio, f"{method} against {reference}")


def check_spread(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F3: the released regulariser reduces the score that it acts on, whatever the groups."""
    claim = Claim(
        "F3",
        "the released regulariser shrinks the score",
        "log10 ratio of the standard deviation of the test scores diag(LL)",
        "lower",
        DOUBLED,
    )
    for method, reference in roles.pairs("released"):
        ratio = _log_spread(values, method) - _log_spread(values, reference)
        yield Check(claim, ratio.dropna(), f"{method} against {reference}")


def _log_spread(values: pd.DataFrame, method: str) -> pd.Series:
    """The decimal logarithm of the score's standard deviation by seed, as the mean over a method's runs.

    The two exact distances have the same numerator, so their ratio is the variance, for every group.
    """
    chosen = values[(values["method"] == method) & (values["group"] != "")]
    wide = chosen.pivot_table(index=["seed", "attr", "label", "group"], columns="metric", values="value")
    ratio = log10(wide["distance_square_wasserstein"] / wide["distance_square_scale_free"])
    return (ratio / 2).groupby("seed").mean()


def check_convergence(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F9: the distance converges with the released settings.

    A published model that serves every seed is one model: its values are equal, so nothing is tested.
    """
    claim = Claim(
        "F9",
        "the distance as released is the exact one",
        "relative error of the distance as released, mean over groups",
        "equivalent",
        CONVERGED,
    )
    for role in ("zero_shot", "fine_tuned"):
        method = roles.get(role)
        if method is None:
            continue
        chosen = values[(values["method"] == method) & (values["group"] != "")]
        wide = chosen.pivot_table(index=["seed", "label", "group"], columns="metric", values="value")
        # Relative, since a distance that did not converge can be negative.
        error = wide["distance_square_sinkhorn"] / wide["distance_square_wasserstein"] - 1
        yield Check(claim, error.groupby("seed").mean(), method)
