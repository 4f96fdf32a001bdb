"""The predictions of one model, and the metrics computed from them.

One row per example: ``key``, ``label`` (0 or 1), one column for each sensitive attribute, and the scores of
the model. These are the columns of scores.parquet: every value of metrics.json can be recomputed from that
file.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.fairness_measures import measure_fairness
from clipfair.metrics.labels import find_column
from clipfair.metrics.measure import Measure
from clipfair.metrics.prediction import predict


def make_scores(
    table: pd.DataFrame,
    p: np.ndarray,
    *,
    labels: np.ndarray,
    sensitive: Sequence[str],
    score: np.ndarray | None = None,
    score_square: np.ndarray | None = None,
) -> pd.DataFrame:
    """The predictions for the rows of ``table``: ``p``, the probability of 1, and ``prediction``.

    Models that compare an image with its own text also have ``score`` and, as in the released evaluation,
    ``score_square``.

    Raises
    ------
    UserError
        If a sensitive attribute is not a column, or a probability is not finite.
    """
    _check_finite(p)
    given = {"score": score, "score_square": score_square}
    columns = {"label": labels, **_groups(table, sensitive), "p": p, "prediction": predict(p)}
    return pd.DataFrame({"key": table["key"], **columns, **_single_precision(given)})


def make_margins(
    table: pd.DataFrame,
    margin: np.ndarray,
    *,
    labels: np.ndarray,
    sensitive: Sequence[str],
    score: np.ndarray | None = None,
) -> pd.DataFrame:
    """The predictions for the rows of ``table`` in few bytes: ``margin``, positive for 1, and ``score``.

    Raises
    ------
    UserError
        If a sensitive attribute is not a column, or a margin is not finite.
    """
    _check_finite(margin)
    columns = {"label": labels.astype(np.int8), **_groups(table, sensitive)}
    given = {"margin": margin, "score": score}
    return pd.DataFrame({"key": table["key"], **columns, **_single_precision(given)})


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise UserError(
            "a prediction is not finite: the model diverged; train it with a smaller learning rate"
        )


def _groups(table: pd.DataFrame, sensitive: Sequence[str]) -> dict[str, pd.Series]:
    return {name: find_column(table, name).astype("category") for name in sensitive}


def _single_precision(given: Mapping[str, np.ndarray | None]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values, np.float32) for name, values in given.items() if values is not None}


def measure_scores(
    scores: pd.DataFrame, *, sensitive: Sequence[str], rng: np.random.Generator
) -> list[Measure]:
    """The fairness metrics of ``scores`` (from :func:`make_scores`, or read from scores.parquet).

    ``rng`` draws the resamples of the intervals.
    """
    return measure_fairness(
        scores["label"].to_numpy(),
        scores["p"].to_numpy(),
        sensitive_features={name: scores[name] for name in sensitive},
        rng=rng,
    )


def score_column(metric: str) -> str:
    """The column that a metric compares: ``score_square`` for ``distance_square_*``, else ``score``."""
    return "score_square" if metric.startswith("distance_square_") else "score"
