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

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.evaluate.bootstrap import interval, intervals, means
from clipfair.evaluate.protocol import Embedded, Result, row
from clipfair.evaluate.similarity import cosines, probabilities

SUMMARIES = {"mean": np.mean, "median": np.median, "max": np.max}


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Association bias by occupation and over all of them, and recognition by group.

    Gives ``association`` = p(y | first) - p(y | second) and ``pairwise`` = |2 AUC - 1| (label = occupation),
    ``association_mean``, ``_median`` and ``_max`` of the absolute values, ``pairwise_mean`` and ``_max``;
    ``probability`` (label = occupation, by group); ``gender_accuracy`` and ``gender_log_loss`` (nats), of
    all and by group. What needs both groups is undefined where one has no image.
    """
    names, occupations = list(settings["groups"]), list(settings["occupations"])
    table, images = embedded.test.table, embedded.test.images
    group = _group(table[settings["attribute"]], settings["groups"])
    p = occupation_probabilities(
        images, embedded.texts["occupations"], embedded.texts["neutral"], scale=embedded.scale
    )
    fits = cosines(images, embedded.texts["occupations"])
    of_group = probabilities(images, embedded.texts["groups"], scale=embedded.scale)
    rows = [
        *_associations(p, fits, group, names, occupations, rng),
        *_recognition(of_group, group, names, rng),
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
    """The share of ``second`` that each of ``first`` is above, ties as halves.

    Parameters
    ----------
    first, second
        (n, k) and (m, k): column by column.

    Returns
    -------
    (n, k); its mean is the AUC of ``first`` against ``second``.
    """
    placed = np.empty(first.shape)
    for column in range(first.shape[1]):
        ordered = np.sort(second[:, column])
        below = np.searchsorted(ordered, first[:, column], side="left")
        upto = np.searchsorted(ordered, first[:, column], side="right")
        placed[:, column] = (below + upto) / (2 * len(ordered))
    return placed


def _associations(
    p: np.ndarray,
    fits: np.ndarray,
    group: np.ndarray,
    names: list[str],
    occupations: list[str],
    rng: np.random.Generator,
) -> list[dict]:
    n = int((group >= 0).sum())
    parts = [group == 0, group == 1]
    if not all(part.any() for part in parts):
        return [*_undefined(names, parts, occupations, n), *_probabilities(p, parts, names, occupations)]
    first, second = (p[part] for part in parts)
    above, below = placements(fits[parts[0]], fits[parts[1]]), placements(fits[parts[1]], fits[parts[0]])
    # Resampled by its projection on each group, which is exact but for terms of order 1/n.
    resampled = [
        means(np.hstack([p[part], place]), rng) for part, place in zip(parts, (above, -below), strict=True)
    ]
    k = len(occupations)
    signed, signed_again = first.mean(0) - second.mean(0), resampled[0][:, :k] - resampled[1][:, :k]
    pair = np.abs(2 * above.mean(0) - 1)
    pair_again = np.abs(2 * (resampled[0][:, k:] + resampled[1][:, k:] + below.mean(0)) - 1)
    return [
        *_by_occupation("association", signed, signed_again, occupations, n),
        *_by_occupation("pairwise", pair, pair_again, occupations, n),
        *_summaries("association", np.abs(signed), np.abs(signed_again), ("mean", "median", "max"), n),
        *_summaries("pairwise", pair, pair_again, ("mean", "max"), n),
        *_probabilities(p, parts, names, occupations),
    ]


def _by_occupation(
    metric: str, values: np.ndarray, resampled: np.ndarray, occupations: list[str], n: int
) -> list[dict]:
    found = zip(occupations, values, intervals(resampled), strict=True)
    return [row(metric, value, n=n, label=label, interval=between) for label, value, between in found]


def _summaries(
    metric: str, values: np.ndarray, resampled: np.ndarray, which: tuple[str, ...], n: int
) -> list[dict]:
    return [
        row(
            f"{metric}_{name}",
            SUMMARIES[name](values),
            n=n,
            interval=interval(SUMMARIES[name](resampled, axis=1)),
        )
        for name in which
    ]


def _undefined(names: list[str], parts: list[np.ndarray], occupations: list[str], n: int) -> list[dict]:
    missing = " or ".join(name for name, part in zip(names, parts, strict=True) if not part.any())
    reason = f"no image of {missing}"
    overall = ("association_mean", "association_median", "association_max", "pairwise_mean", "pairwise_max")
    return [
        *(
            row(metric, None, n=n, label=label, reason=reason)
            for metric in ("association", "pairwise")
            for label in occupations
        ),
        *(row(metric, None, n=n, reason=reason) for metric in overall),
    ]


def _probabilities(
    p: np.ndarray, parts: list[np.ndarray], names: list[str], occupations: list[str]
) -> list[dict]:
    rows = []
    for name, part in zip(names, parts, strict=True):
        reason = None if part.any() else f"no image of {name}"
        values = p[part].mean(axis=0) if part.any() else [None] * len(occupations)
        for label, value in zip(occupations, values, strict=True):
            rows.append(row("probability", value, n=part.sum(), label=label, group=name, reason=reason))
    return rows


def _recognition(
    of_group: np.ndarray, group: np.ndarray, names: list[str], rng: np.random.Generator
) -> list[dict]:
    known = np.flatnonzero(group >= 0)
    right = of_group[known, group[known]]
    wrong = of_group[known, 1 - group[known]]
    values = np.column_stack([(right > wrong) + (right == wrong) / 2, -np.log(np.maximum(right, 1e-300))])
    rows = []
    for name, code in ((None, None), *zip(names, (0, 1), strict=True)):
        part = values if code is None else values[group[known] == code]
        if len(part):
            found = zip(part.mean(axis=0), intervals(means(part, rng)), strict=True)
            reason = None
        else:
            found, reason = [(None, None)] * 2, f"no image of {name or 'either group'}"
        for metric, (value, between) in zip(("gender_accuracy", "gender_log_loss"), found, strict=True):
            rows.append(row(metric, value, n=len(part), group=name, interval=between, reason=reason))
    return rows
