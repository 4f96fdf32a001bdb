"""Tests on matched pairs and intervals over seeds (CLIP the Bias, sections 4 to 4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from math import comb, erfc, sqrt
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

Alternative = Literal["two-sided", "greater", "less"]

# Up to here the distribution under the null hypothesis is counted; beyond it is normal to all digits shown.
EXACT_UP_TO = 200

# Accuracies are fractions: differences that are equal must not become unequal by the last bit of a float.
DECIMALS = 12


@dataclass(frozen=True)
class Outcome:
    """What a test gives: its statistic, its p-value in [0, 1], and the number of differences it used."""

    statistic: float
    p_value: float
    n: int


def signed_rank(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> Outcome:
    """Wilcoxon's signed-rank test that differences are symmetric about zero.

    Zeros and NaN are dropped (Wilcoxon's own procedure); equal sizes share their mean rank. The p-value is
    exact given the ranks, ties or not, up to 200 differences: that of all 2^n assignments of signs. Beyond,
    the normal approximation with the ranks' own variance.

    Parameters
    ----------
    differences
        (n,) of the pairs.
    alternative
        ``greater``: the differences tend to be positive.

    Returns
    -------
    The sum of the ranks of the positive differences, the p-value, and the number of those that are not zero.
    """
    kept = _nonzero(differences)
    ranks = _doubled_ranks(np.abs(kept))
    positive = int(ranks[kept > 0].sum())
    at_least, at_most = _tails(ranks, positive)
    return Outcome(positive / 2, _p_value(at_least, at_most, alternative), len(kept))


def sign_test(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> Outcome:
    """The exact sign test that positive differences are as likely as negative ones; zeros are dropped.

    The statistic is the number of positive ones.
    """
    kept = _nonzero(differences)
    n, positive = len(kept), int((kept > 0).sum())
    ways = [comb(n, k) for k in range(n + 1)]
    at_least, at_most = sum(ways[positive:]) / 2**n, sum(ways[: positive + 1]) / 2**n
    return Outcome(positive, _p_value(at_least, at_most, alternative), n)


def p_matrix(values: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test between every two conditions (Figures 2 and 4).

    Parameters
    ----------
    values
        A line a matched unit (one model, number of examples, seed, ...), a column a condition. A pair of
        which one value is missing is dropped.

    Returns
    -------
    One line an ordered pair: condition, against, median_difference (condition less against), statistic,
    p_value (two-sided), n (pairs that differ), pairs. The p-value is NaN where there is no pair.
    """
    lines = []
    for condition, against in permutations(values.columns, 2):
        differences = (values[condition] - values[against]).dropna()
        outcome = signed_rank(differences)
        lines.append(
            {
                "condition": condition,
                "against": against,
                "median_difference": differences.median(),
                "statistic": outcome.statistic,
                "p_value": outcome.p_value if len(differences) else np.nan,
                "n": outcome.n,
                "pairs": len(differences),
            }
        )
    return pd.DataFrame(lines)


def seed_interval(
    values: ArrayLike, seeds: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000
) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean, where whole seeds are drawn.

    Values of one seed (of several models, say) are not independent; seeds are. The draws are the same at
    every call.

    Parameters
    ----------
    values, seeds
        (n,) each; NaN values are dropped.

    Returns
    -------
    Its ends; NaN with fewer than two seeds.
    """
    frame = pd.DataFrame({"value": np.asarray(values, dtype=float), "seed": np.asarray(seeds)}).dropna()
    groups = frame.groupby("seed")["value"].agg(["sum", "count"])
    if len(groups) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=resamples)
    means = (times @ groups["sum"].to_numpy()) / (times @ groups["count"].to_numpy())
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: those at most alpha are significant at family-wise error rate alpha."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1).tolist()


def _nonzero(differences: ArrayLike) -> np.ndarray:
    rounded = np.round(np.asarray(differences, dtype=float), DECIMALS)
    return rounded[~np.isnan(rounded) & (rounded != 0)]


def _doubled_ranks(sizes: np.ndarray) -> np.ndarray:
    """Twice the mean ranks, which are whole numbers also for ties; (n,) int."""
    _, which, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    return (2 * np.cumsum(counts) - counts + 1)[which]


def _tails(ranks: np.ndarray, positive: int) -> tuple[float, float]:
    """The chances that a sum of ranks with random signs is at least, and at most, ``positive``."""
    if len(ranks) > EXACT_UP_TO:
        z = (positive - ranks.sum() / 2) / (np.sqrt(np.square(ranks, dtype=float).sum()) / 2)
        return erfc(z / sqrt(2)) / 2, erfc(-z / sqrt(2)) / 2
    chances = np.zeros(ranks.sum() + 1)
    chances[0] = 1
    for rank in ranks:
        chances /= 2
        chances[rank:] = chances[rank:] + chances[:-rank]
    return float(chances[positive:].sum()), float(chances[: positive + 1].sum())


def _p_value(at_least: float, at_most: float, alternative: Alternative) -> float:
    return min(
        1.0,
        {"greater": at_least, "less": at_most, "two-sided": 2 * min(at_least, at_most)}[alternative],
    )
