"""Association bias, and how well the model recognises the attribute (CLIP the Bias, sections 4.2 to 4.4).

Settings: ``attribute`` (a column), ``groups`` (two words -> values of the column), ``occupations``,
``neutral`` (the text that each occupation is compared with: the empty text in the paper) and ``template``.

- Definition 4: p(y | image) is the softmax over {occupation, neutral} with the model's own temperature. It is
  averaged over the images of each group and compared between groups.
- SigLIP's probabilities are not calibrated (section 4.4). Instead, from a pair with one image of each group
  the model chooses the image that fits the occupation better. P(the first group's is chosen) - P(the second
  group's is chosen) equals 2 AUC - 1, with ties counted as 1/2, so no pairs need to be drawn.
- The attribute is recognised by the softmax over the two words alone (section 4.3); a tie counts as 1/2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result
from clipfair.evaluate.similarity import cosines, probabilities
from clipfair.metrics.bootstrap import interval, means
from clipfair.metrics.measure import Measure, make_measure

SUMMARIES = {
    "association": {"mean": np.mean, "median": np.median, "max": np.max},
    "pairwise": {"mean": np.mean, "max": np.max},
}


@dataclass(frozen=True)
class GroupMeans:
    """Means over the images of one group, and the means over each resample of them; NaN without images.

    Attributes
    ----------
    n : the number of images.
    p : the mean probability of each occupation; (k,), and resampled (replicates, k).
    placement : the mean share of the other group's images that fit an occupation less; as ``p``.
    recognition : the mean recognition (1, 0, a tie 0.5) and log-loss in nats; (2,), and (replicates, 2).
    """

    n: int
    p: tuple[np.ndarray, np.ndarray]
    placement: tuple[np.ndarray, np.ndarray]
    recognition: tuple[np.ndarray, np.ndarray]


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Association bias by occupation and over all of them, and recognition by group.

    The measures are ``association`` = p(y | first) - p(y | second) and ``pairwise`` = |2 AUC - 1| (label =
    occupation); ``association_mean``, ``_median`` and ``_max`` of the absolute values, ``pairwise_mean`` and
    ``_max``; ``probability`` (label = occupation, by group); ``gender_accuracy`` and ``gender_log_loss``
    (nats), of all and by group. A measure of a group without images is undefined. Images are resampled within
    their group.
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
        _means(p[own], placements(fits[own], fits[other]), recognition[own], rng)
        for own, other in (parts, parts[::-1])
    )
    of_groups = dict(zip(names, (first, second), strict=True))
    measures = [
        *_associations(of_groups, occupations),
        *_by_group(of_groups, occupations),
        *_overall(of_groups),
    ]
    scores = pd.DataFrame(
        {
            "key": table["key"],
            "group": pd.Categorical.from_codes(group, names),
            f"p({names[0]})": of_group[:, 0],
            **{f"p({name})": p[:, k] for k, name in enumerate(occupations)},
            **{f"cosine({name})": fits[:, k] for k, name in enumerate(occupations)},
        }
    )
    return Result(measures, scores)


def _group(column: pd.Series, groups: Mapping[str, str]) -> np.ndarray:
    """The group of each image: 0, 1; -1 if it is in neither. (n,) int."""
    code = {value: number for number, value in enumerate(groups.values())}
    return column.astype(object).map(code).fillna(-1).to_numpy(dtype=int)


def occupation_probabilities(
    images: np.ndarray, occupations: np.ndarray, neutral: np.ndarray, *, scale: float
) -> np.ndarray:
    """The probability of each occupation in the softmax over it and the neutral text; (n, k) float64."""
    margin = scale * (cosines(images, occupations).astype(np.float64) - cosines(images, neutral))
    return np.exp(-np.logaddexp(0, -margin))


def placements(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The share of ``second`` that each row of ``first`` exceeds, ties counted as 1/2, column by column.

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
        not_above = np.searchsorted(ordered, first[:, column], side="right")
        placed[:, column] = (below + not_above) / (2 * len(ordered))
    return placed


def _recognition(of_group: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Recognition (1, 0, a tie 0.5) and log-loss of each image; meaningless for images in neither group."""
    rows = np.arange(len(group))
    right, wrong = of_group[rows, group], of_group[rows, (group == 0).astype(int)]
    loss = -np.log(np.maximum(right, np.finfo(float).tiny))
    return np.column_stack([(right > wrong) + (right == wrong) / 2, loss])


def _means(
    p: np.ndarray, placed: np.ndarray, recognition: np.ndarray, rng: np.random.Generator
) -> GroupMeans:
    values = np.hstack([p, placed, recognition])
    n, width = values.shape
    mean = values.mean(axis=0) if n else np.full(width, np.nan)
    resampled = means(values, rng) if n else np.full((1, width), np.nan)
    k = p.shape[1]
    parts = [(mean[part], resampled[:, part]) for part in (slice(k), slice(k, 2 * k), slice(2 * k, None))]
    return GroupMeans(n, *parts)


def _associations(of_groups: Mapping[str, GroupMeans], occupations: Sequence[str]) -> list[Measure]:
    first, second = of_groups.values()
    n, reason = first.n + second.n, _reason_for_no_image(of_groups)
    # The AUC is resampled by its projection on each group, which is exact up to terms of order 1 / n.
    differences = {
        "association": [one - other for one, other in zip(first.p, second.p, strict=True)],
        "pairwise": [
            np.abs(2 * (one - other + second.placement[0]) - 1)
            for one, other in zip(first.placement, second.placement, strict=True)
        ],
    }
    measures = []
    for metric, (value, resampled) in differences.items():
        measures += [
            _measure(metric, value[k], resampled[:, k], n=n, label=name, reason=reason)
            for k, name in enumerate(occupations)
        ]
        for name, summary in SUMMARIES[metric].items():
            overall, overall_resampled = summary(np.abs(value)), summary(np.abs(resampled), axis=1)
            measures.append(_measure(f"{metric}_{name}", overall, overall_resampled, n=n, reason=reason))
    return measures


def _by_group(of_groups: Mapping[str, GroupMeans], occupations: Sequence[str]) -> list[Measure]:
    measures = []
    for name, of_group in of_groups.items():
        about = {"n": of_group.n, "group": name, "reason": f"no image of {name}"}
        value, resampled = of_group.p
        measures += [
            _measure("probability", value[k], resampled[:, k], label=label, **about)
            for k, label in enumerate(occupations)
        ]
        measures += _recognitions(*of_group.recognition, **about)
    return measures


def _overall(of_groups: Mapping[str, GroupMeans]) -> list[Measure]:
    """Recognition of the images of both groups together."""
    n = sum(of_group.n for of_group in of_groups.values())
    present = [of_group for of_group in of_groups.values() if of_group.n]
    value, resampled = (
        sum(of_group.n * of_group.recognition[which] for of_group in present) / n
        if n
        else np.full((1, 2), np.nan)
        for which in range(2)
    )
    return _recognitions(value.ravel(), resampled, n=n, reason=_reason_for_no_image(of_groups))


def _recognitions(value: np.ndarray, resampled: np.ndarray, **about: object) -> list[Measure]:
    metrics = ("gender_accuracy", "gender_log_loss")
    return [_measure(metric, value[k], resampled[:, k], **about) for k, metric in enumerate(metrics)]


def _reason_for_no_image(of_groups: Mapping[str, GroupMeans]) -> str:
    return f"no image of {' or '.join(name for name, of_group in of_groups.items() if not of_group.n)}"


def _measure(metric: str, value: float, resampled: np.ndarray, *, reason: str, **about: object) -> Measure:
    """A value with its interval, or the reason why it is undefined."""
    if np.isnan(value):
        return make_measure(metric, None, reason=reason, **about)
    return make_measure(metric, value, interval=interval(resampled), **about)
