"""Statistics over runs: mean and standard deviation, tests on matched pairs, intervals over units.

The signed-rank test is that of CLIP the Bias (sections 4 to 4.4); claims are judged by the sign-flip test
and the test of equivalence (docs/analysis-plan.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95

# Up to this many differences the null distribution is enumerated; above it the normal approximation agrees
# to all digits that tables show.
EXACT_UP_TO = 200

# Up to this many differences all assignments of signs are enumerated; above it so many are drawn.
FLIPPED_UP_TO = 20
FLIPS_DRAWN = 100_000

# Accuracies are fractions: equal differences must not become unequal by the last bit of a float.
DECIMALS = 12


# --- means over runs --------------------------------------------------------------------------


def summarise_runs(values: pd.DataFrame, by: Sequence[str], **others: tuple[str, str]) -> pd.DataFrame:
    """Mean and standard deviation of the column ``value`` over the runs of each cell of a table.

    Parameters
    ----------
    values
        One row per run and cell. A NaN in ``value`` is an undefined value and is left out.
    by
        The columns that name a cell; cells keep the order in which they first occur.
    **others
        Further columns, as in :meth:`pandas.DataFrameGroupBy.agg`: ``size=("n", "max")``.

    Returns
    -------
    One row per cell: ``by``, ``mean``, ``std`` (ddof 1; NaN for fewer than two values), ``n`` (the number of
    defined values) and ``others``.
    """
    cells = values.groupby(list(by), sort=False, dropna=False)
    aggregated = cells.agg(mean=("value", "mean"), std=("value", "std"), n=("value", "count"), **others)
    return aggregated.reset_index()


class MeanInterval(NamedTuple):
    """A mean with its 95% t interval, the number of values, and the two-sided p-value of a mean of zero."""

    mean: float
    low: float
    high: float
    n: int
    p: float


def mean_interval(values: Iterable[float]) -> MeanInterval:
    """The mean of ``values``, its t interval and the p-value of the hypothesis that the mean is zero.

    NaN values are left out. With fewer than two values, interval and p-value are NaN. If all values are
    equal, as they are when one model serves every seed, the interval has no width and the p-value is NaN,
    or 1 if the values are zero.
    """
    array = np.asarray(list(values), dtype=float)
    array = array[~np.isnan(array)]
    n = len(array)
    mean = float(array.mean()) if n else np.nan
    if n < 2:
        return MeanInterval(mean, np.nan, np.nan, n, np.nan)
    error = float(array.std(ddof=1) / np.sqrt(n))
    if error == 0:
        return MeanInterval(mean, mean, mean, n, 1.0 if mean == 0 else np.nan)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return MeanInterval(mean, mean - half, mean + half, n, p)


def nested_interval(
    values: pd.DataFrame,
    levels: Sequence[str],
    *,
    confidence: float = CONFIDENCE,
    resamples: int = 2_000,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean over nested levels, such as draws, seeds and examples.

    The units of the first level are resampled, within each drawn unit those of the second, and so on. The
    mean is that of the units' means at every level, so a unit with more values counts no more. The random
    generator is seeded with 0. ``scipy.stats.bootstrap`` resamples the values of one level.

    Parameters
    ----------
    values
        One row per value: the column ``value`` and the columns ``levels``. NaN values are dropped.
    levels
        The columns that name the units, the outermost first. The rows of the innermost units are resampled,
        too, so a unit may have one row or many.

    Returns
    -------
    Lower and upper end; NaN with fewer than two units of the first level.
    """
    tree = _nest(values.dropna(subset=["value"]), list(levels))
    if len(tree) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    means = [_resampled_mean(tree, rng) for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _nest(values: pd.DataFrame, levels: Sequence[str]) -> list | np.ndarray:
    """Values as lists of lists by level; the innermost are arrays."""
    if not levels:
        return values["value"].to_numpy(dtype=float)
    return [_nest(part, levels[1:]) for _, part in values.groupby(levels[0])]


def _resampled_mean(tree: list | np.ndarray, rng: np.random.Generator) -> float:
    drawn = rng.integers(0, len(tree), len(tree))
    if isinstance(tree, np.ndarray):
        return tree[drawn].mean()
    return float(np.mean([_resampled_mean(tree[place], rng) for place in drawn]))


# --- tests on matched pairs -------------------------------------------------------------------


@dataclass(frozen=True)
class PairedTest:
    """The result of a test on paired differences.

    Attributes
    ----------
    statistic : the test's statistic.
    p_value : in [0, 1].
    n : the number of differences that are neither zero nor NaN.
    """

    statistic: float
    p_value: float
    n: int


def signed_rank(differences: ArrayLike) -> PairedTest:
    """Wilcoxon's two-sided signed-rank test that differences are symmetric about zero.

    Zeros and NaN are dropped (Wilcoxon's own procedure); equal absolute values share their mean rank. Up to
    200 differences the p-value is exact, with or without ties: it counts all 2^n assignments of signs. Above,
    it is the normal approximation with the variance of the given ranks.

    It is our own because ties are common among accuracies, and scipy 1.17's exact method is not exact with
    them: for 1, 1, 2, 2, -1 it gives 0.1875, and all assignments of signs 0.25. With ties, scipy's default
    enumerates the assignments of at most 13 differences.

    Parameters
    ----------
    differences
        (n,), one per pair.

    Returns
    -------
    The statistic is the sum of the ranks of the positive differences.
    """
    kept = _nonzero(differences)
    # Twice the mean ranks, which are whole numbers also for ties.
    ranks = (2 * stats.rankdata(np.abs(kept))).astype(int)
    positive = int(ranks[kept > 0].sum())
    return PairedTest(positive / 2, min(1.0, 2 * min(_tails(ranks, positive))), len(kept))


def sign_flip_test(differences: ArrayLike) -> PairedTest:
    """The two-sided sign-flip test that differences are symmetric about zero, by their mean.

    There is one difference per independent unit (a seed, a draw of the data). NaN values are dropped, zeros
    stay. Up to 20 differences the p-value is exact: the share of all 2^n assignments of signs whose mean is
    at least as extreme; above, 100,000 are drawn. The smallest p-value is 2^(1 - n), so with fewer
    than six units nothing is significant at 0.05.

    Returns
    -------
    The statistic is the mean of the differences; the p-value is 1 without differences.
    """
    array = np.round(np.asarray(differences, dtype=float), DECIMALS)
    kept = array[~np.isnan(array)]
    n = int((kept != 0).sum())
    if not n:
        return PairedTest(0.0, 1.0, 0)
    # scipy wants two values or more; a zero changes no sum.
    flipped = kept if len(kept) > 1 else np.append(kept, 0.0)
    found = stats.permutation_test(
        (flipped,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf if len(kept) <= FLIPPED_UP_TO else FLIPS_DRAWN,
        batch=2**16,
        rng=np.random.default_rng(0),
    )
    return PairedTest(float(kept.mean()), min(1.0, float(found.pvalue)), n)


class Equivalence(NamedTuple):
    """A mean with its 90% t interval, the number of values, and the p-value of two one-sided tests."""

    mean: float
    low: float
    high: float
    n: int
    p: float


def equivalence_test(differences: ArrayLike, margin: float) -> Equivalence:
    """Two one-sided t tests (TOST; Schuirmann, 1987): is the mean between -margin and margin?

    The p-value is the larger of both tests; it is at most 0.05 if and only if the 90% interval is within the
    margins. NaN values are dropped. With fewer than two values, interval and p-value are NaN. If all values
    are equal, the p-value is NaN: without variation there is no evidence on other units.

    Parameters
    ----------
    differences
        (n,), one per independent unit.
    margin
        The largest difference that does not matter, > 0, in the unit of the differences.
    """
    array = np.asarray(differences, dtype=float)
    array = array[~np.isnan(array)]
    n = len(array)
    mean = float(array.mean()) if n else np.nan
    if n < 2 or np.ptp(np.round(array, DECIMALS)) == 0:
        return Equivalence(mean, np.nan, np.nan, n, np.nan)
    above = stats.ttest_1samp(array, -margin, alternative="greater")
    below = stats.ttest_1samp(array, margin, alternative="less")
    low, high = stats.ttest_1samp(array, 0).confidence_interval(0.9)
    return Equivalence(mean, float(low), float(high), n, float(max(above.pvalue, below.pvalue)))


def compare_conditions(values: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test between every two conditions (Figures 2 and 4 of CLIP the Bias).

    Parameters
    ----------
    values
        One row per matched unit (one model, number of examples, seed, ...), one column per condition. A pair
        with a missing value is dropped.

    Returns
    -------
    One row per ordered pair of conditions: condition, against, median_difference (condition minus against),
    statistic, p_value (two-sided), n (pairs that differ), pairs. The p-value is NaN without pairs.
    """
    rows = []
    for condition, against in permutations(values.columns, 2):
        differences = (values[condition] - values[against]).dropna()
        test = signed_rank(differences)
        rows.append(
            {
                "condition": condition,
                "against": against,
                "median_difference": differences.median(),
                "statistic": test.statistic,
                "p_value": test.p_value if len(differences) else np.nan,
                "n": test.n,
                "pairs": len(differences),
            }
        )
    return pd.DataFrame(rows)


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


def _tails(ranks: np.ndarray, positive: int) -> tuple[float, float]:
    """P(sum >= positive) and P(sum <= positive) of the sum of ``ranks`` with random signs."""
    if len(ranks) > EXACT_UP_TO:
        z = (positive - ranks.sum() / 2) / (np.sqrt(np.square(ranks, dtype=float).sum()) / 2)
        return float(stats.norm.sf(z)), float(stats.norm.cdf(z))
    probabilities = np.zeros(ranks.sum() + 1)
    probabilities[0] = 1
    for rank in ranks:
        probabilities /= 2
        probabilities[rank:] = probabilities[rank:] + probabilities[:-rank]
    return float(probabilities[positive:].sum()), float(probabilities[: positive + 1].sum())
