"""The predictions of one model, and everything that is computed from them.

One row an example: ``key``, ``label`` (0 or 1), a column for each sensitive attribute, ``p`` (the probability
of 1), ``prediction`` and, for models that compare an image with its own text, ``score`` and, as the released
evaluation has it, ``score_square``. These are the columns of scores.parquet, so that :func:`measure_scores`
computes every figure of metrics.json from it again.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.fairness import Measure, measure, predict, resample


def labels_of(table: pd.DataFrame, label: str, positive: str | None = None) -> np.ndarray:
    """The column ``label`` as 0 and 1; (n,) int64.

    Parameters
    ----------
    positive
        The value that is 1, of a column of two categories; None for a column that is 0 and 1 already.

    Raises
    ------
    UserError
        If there is no such column, a value is missing, or it has others.
    """
    column = _column(table, label)
    if column.isna().any():
        raise UserError(
            f"column {label!r}: {column.isna().sum():,} of {len(column):,} values are missing; "
            "choose examples with a label (where: in config.yaml)"
        )
    if positive is not None:
        values = column.cat.categories if hasattr(column, "cat") else column.unique()
        if positive not in values or len(values) != 2:
            raise UserError(
                f"column {label!r}: expected two values, one of them {positive!r}; found "
                f"{', '.join(map(str, values))}; check the evaluation in config.yaml"
            )
        return (column == positive).to_numpy().astype(np.int64)
    if not column.isin([0, 1]).all():
        raise UserError(
            f"column {label!r} is not 0 and 1; name the value that is 1 (positive: <value>) in config.yaml"
        )
    return column.to_numpy().astype(np.int64)


def make_scores(
    table: pd.DataFrame,
    p: np.ndarray,
    *,
    labels: np.ndarray,
    sensitive: Sequence[str],
    score: np.ndarray | None = None,
    score_square: np.ndarray | None = None,
) -> pd.DataFrame:
    """The predictions for the rows of ``table`` (columns above).

    Raises
    ------
    UserError
        If an attribute is no column, or a probability is not finite.
    """
    if not np.isfinite(p).all():
        raise UserError(
            "a prediction is not finite: the model diverged; train it with a smaller learning rate"
        )
    attributes = {name: _column(table, name).astype("category") for name in sensitive}
    given = {"score": score, "score_square": score_square}
    own = {name: np.asarray(value, dtype=np.float32) for name, value in given.items() if value is not None}
    return pd.DataFrame(
        {"key": table["key"], "label": labels, **attributes, "p": p, "prediction": predict(p), **own}
    )


def measure_scores(
    scores: pd.DataFrame,
    *,
    sensitive: Sequence[str],
    distances: Sequence[str],
    rng: np.random.Generator,
) -> list[Measure]:
    """The values of metrics.json: :func:`clipfair.metrics.measure` and the ``distances`` of every group.

    Parameters
    ----------
    scores
        What :func:`make_scores` gave, also when it was written and read again.
    distances
        Those of :data:`~.distances.EVALUATED`, less ``distance_``, to the scores of everybody; they
        need the column ``score``, those of the released score (:func:`of_square`) ``score_square``.
    rng
        Draws the resamples of the intervals.
    """
    measures = measure(
        scores["label"].to_numpy(),
        scores["p"].to_numpy(),
        sensitive_features={name: scores[name] for name in sensitive},
        counts=resample(len(scores), rng),
    )
    if distances:
        measures += _distances(scores, sensitive, distances)
    return measures


def _distances(scores: pd.DataFrame, sensitive: Sequence[str], names: Sequence[str]) -> list[Measure]:
    import torch  # late: its import takes seconds

    from clipfair.metrics import distances

    chosen = {name: _line(name, distances.EVALUATED) for name in names}
    groups = [(attribute, group) for attribute in sensitive for group in scores[attribute].cat.categories]
    members = [torch.tensor((scores[attribute] == group).to_numpy()) for attribute, group in groups]
    found = {}
    for name, line in chosen.items():
        column = scores["score_square" if of_square(name) else "score"]
        everybody = torch.tensor(column.to_numpy(dtype=np.float32))
        found[name] = distances.measure(line, everybody, [everybody[of] for of in members]).tolist()
    return [
        _measure(f"distance_{name}", attribute, str(group), found[name][place], int(members[place].sum()))
        for place, (attribute, group) in enumerate(groups)
        for name in names
    ]


def of_square(distance: str) -> bool:
    """Whether a distance is of the released score, diag(LL)."""
    return distance.startswith("square_")


def _line(name: str, known: Mapping[str, Mapping]) -> Mapping:
    if f"distance_{name}" not in known:
        spelt = ", ".join(other.removeprefix("distance_") for other in known)
        raise UserError(f"distance {name!r} is unknown; known: {spelt}; check the evaluation in config.yaml")
    return known[f"distance_{name}"]


def _measure(metric: str, attribute: str, group: str, value: float, n: int) -> Measure:
    if not n:
        return Measure(metric, attribute, group, None, n, None, None, f"{attribute} {group}: no example")
    if np.isnan(value):
        return Measure(metric, attribute, group, None, n, None, None, "all scores are equal")
    return Measure(metric, attribute, group, value, n, None, None, None)


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        raise UserError(f"no column {name!r}; known: {', '.join(table.columns)}; check config.yaml")
    return table[name]
