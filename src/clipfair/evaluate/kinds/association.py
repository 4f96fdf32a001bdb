"""Association bias of the model (Definition 4, sections 4.2 to 4.4), and whether it recognises the attribute.

Settings: ``attribute`` (a column), ``groups`` (two words -> values of the column), ``occupations``,
``neutral`` (the text beside each occupation: the empty one in the paper) and ``template``.

- p(y | image) is the softmax over {occupation, neutral} with the model's own temperature; it is averaged
  over the images of each group, and compared between them.
- SigLIP gives no calibrated probabilities (section 4.4): of one image of each group the model chooses the
  one that fits the occupation better. The chance that it is the first group's less the chance that it is
  the second's is 2 AUC - 1 exactly, with ties as halves, so nothing is drawn.
- The attribute is recognised by the softmax over the two words alone (section 4.3); a tie is half right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result, row
from clipfair.evaluate.similarity import cosines, probabilities
from clipfair.metrics.bootstrap import interval, means

SUMMARIES = {
    "association": {"mean": np.mean, "median": np.median, "max": np.max},
    "pairwise": {"mean": np.mean, "max": np.max},
}


@dataclass(frozen=True)
class Means:
    """Means over the images of one group, by column, and the same over each resample; NaN without images.

    Attributes
    ----------
    n : how many images.
    p : of an occupation's probability; (k,), resampled (replicates, k).
    placement : of the share of the other group's images that fit an occupation less; as ``p``.
    recognition : of being recognised (1, 0, a tie 0.5) and of the log-loss; (2,), resampled (replicates, 2).
    """

    n: int
    p: tuple[np.ndarray, np.ndarray]
    placement: tuple[np.ndarray, np.ndarray]
    recognition: tuple[np.ndarray, np.ndarray]


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Association bias by occupation and over all of them, and recognition by group.

    Gives ``association`` = p(y | first) - p(y | second) and ``pairwise`` = |2 AUC - 1| (label = occupation),
    ``association_mean``, ``_median`` and ``_max`` of the absolute values, ``pairwise_mean`` and ``_max``;
    ``probability`` (label = occupation, by group); ``gender_accuracy`` and ``gender_log_loss`` (nats), of
    all and by group. What needs images that are not there is undefined. Images are resampled within their
    group.
    """
    names, occupations = list(settings["groups"]), list(settings["occupations"])
    table, images, texts = embedded.test.table, embedded.test.images, embedded.texts
    group = _group(table[settings["attribute"]], settings["groups"])
    p = occupation_probabilities(images, texts["occupations"], texts["neutral"], scale=embedded.scale)
    fits = cosines(images, texts["occupations"])
    of_group = probabilities(images, texts["groups"], scale=embedded.scale)
    recognition = _recognition(of_group, group)
    parts = [group == code for code in range(len(names))]
    first, second = (
        _means(p[mine], placements(fits[mine], fits[other]), recognition[mine], rng)
        for mine, other in (parts, parts[::-1])
    )
    found = dict(zip(names, (first, second), strict=True))
    rows = [*_associations(found, occupations), *_by_group(found, occupations), *_overall(found)]
    scores = pd.DataFrame(
        {
            "key": table["key"],
            "group": pd.Categorical.from_codes(group, names),
            f"p({names[0]})": of_group[:, 0],
            **{f"p({name})": p[:, k] for k, name in enumerate(occupations)},
            **{f"cosine({name})": fits[:, k] for k, name in enumerate(occupations)},
        }
    )
    return Result(rows, scores)


def _group(column: pd.Series, groups: Mapping[str, str]) -> np.ndarray:
    """Which group each image is of: 0, 1; -1 if of none."""
    code = {value: number for number, value in enumerate(groups.values())}
    return column.astype(object).map(code).fillna(-1).to_numpy(dtype=int)


def occupation_probabilities(
    images: np.ndarray, occupations: np.ndarray, neutral: np.ndarray, *, scale: float
) -> np.ndarray:
    """Softmax over each occupation and the neutral text, of the occupation; (n, k) float64."""
    margin = scale * (cosines(images, occupations).astype(np.float64) - cosines(images, neutral))
    return np.exp(-np.logaddexp(0, -margin))


def placements(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The share of ``second`` that each of ``first`` is above, ties as halves, column by column.

    Parameters
    ----------
    first, second
        (n, k) and (m, k).

    Returns
    -------
    (n, k), NaN if m is 0; the mean of a column is the AUC of ``first`` against ``second``.
    """
    if not len(second):
        return np.full(first.shape, np.nan)
    placed = np.empty(first.shape)
    for column in range(first.shape[1]):
        ordered = np.sort(second[:, column])
        below = np.searchsorted(ordered, first[:, column], side="left")
        upto = np.searchsorted(ordered, first[:, column], side="right")
        placed[:, column] = (below + upto) / (2 * len(ordered))
    return placed


def _recognition(of_group: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Whether each image's group is recognised, and the log-loss; of images of no group it means nothing."""
    rows = np.arange(len(group))
    right, wrong = of_group[rows, group], of_group[rows, (group == 0).astype(int)]
    loss = -np.log(np.maximum(right, np.finfo(float).tiny))
    return np.column_stack([(right > wrong) + (right == wrong) / 2, loss])


def _means(p: np.ndarray, placed: np.ndarray, recognition: np.ndarray, rng: np.random.Generator) -> Means:
    values = np.hstack([p, placed, recognition])
    n, width = values.shape
    mean = values.mean(axis=0) if n else np.full(width, np.nan)
    again = means(values, rng) if n else np.full((1, width), np.nan)
    k = p.shape[1]
    parts = [(mean[part], again[:, part]) for part in (slice(k), slice(k, 2 * k), slice(2 * k, None))]
    return Means(n, *parts)


def _associations(found: Mapping[str, Means], occupations: Sequence[str]) -> list[dict]:
    first, second = found.values()
    n, reason = first.n + second.n, _lacking(found)
    # The AUC is resampled by its projection on each group, exact but for terms of order 1 / n.
    differences = {
        "association": [one - other for one, other in zip(first.p, second.p, strict=True)],
        "pairwise": [
            np.abs(2 * (one - other + second.placement[0]) - 1)
            for one, other in zip(first.placement, second.placement, strict=True)
        ],
    }
    rows = []
    for metric, (value, again) in differences.items():
        rows += [
            _row(metric, value[k], again[:, k], n=n, label=name, reason=reason)
            for k, name in enumerate(occupations)
        ]
        for name, summary in SUMMARIES[metric].items():
            overall, overall_again = summary(np.abs(value)), summary(np.abs(again), axis=1)
            rows.append(_row(f"{metric}_{name}", overall, overall_again, n=n, reason=reason))
    return rows


def _by_group(found: Mapping[str, Means], occupations: Sequence[str]) -> list[dict]:
    rows = []
    for name, part in found.items():
        told = {"n": part.n, "group": name, "reason": f"no image of {name}"}
        rows += [
            _row("probability", part.p[0][k], part.p[1][:, k], label=label, **told)
            for k, label in enumerate(occupations)
        ]
        rows += _recognitions(*part.recognition, **told)
    return rows


def _overall(found: Mapping[str, Means]) -> list[dict]:
    """Recognition of the images of both groups together."""
    n = sum(part.n for part in found.values())
    there = [part for part in found.values() if part.n]
    value, again = (
        sum(part.n * part.recognition[which] for part in there) / n if n else np.full((1, 2), np.nan)
        for which in range(2)
    )
    return _recognitions(value.ravel(), again, n=n, reason=_lacking(found))


def _recognitions(value: np.ndarray, again: np.ndarray, **told: object) -> list[dict]:
    metrics = ("gender_accuracy", "gender_log_loss")
    return [_row(metric, value[k], again[:, k], **told) for k, metric in enumerate(metrics)]


def _lacking(found: Mapping[str, Means]) -> str:
    return f"no image of {' or '.join(name for name, part in found.items() if not part.n)}"


def _row(metric: str, value: float, again: np.ndarray, *, reason: str, **told: object) -> dict:
    """A value with its interval, or the reason why it is undefined."""
    if np.isnan(value):
        return row(metric, None, reason=reason, **told)
    return row(metric, value, interval=interval(again), **told)
