"""Representation bias of the model (Definition 3, section 4.1): whom it sees where nobody is to be seen.

Settings: ``attributes`` (words, k >= 2), ``target`` (their shares pi; uniform if there is none),
``template``, and ``images`` with ``seed``: how many of the split's images are drawn.

The probabilities are the softmax over the attributes' logits with the model's own temperature (section 2).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result, row
from clipfair.evaluate.similarity import probabilities
from clipfair.metrics.bootstrap import interval, intervals, means, medians


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Parity of two attributes, and the largest distance of any attribute from its target.

    Gives ``parity_mean`` and ``parity_median`` of p(first) - p(second) if there are two attributes,
    ``representation_bias`` = max_k |pi_k - mean p_k|, and ``probability`` of each (label).
    """
    names = list(settings["attributes"])
    target = np.array(settings.get("target", [1 / len(names)] * len(names)))
    p = probabilities(embedded.test.images, embedded.texts["attributes"], scale=embedded.scale)
    resampled = means(p, rng)
    n = len(p)
    rows = _parity(p, resampled, rng) if len(names) == 2 else []
    rows.append(
        row(
            "representation_bias",
            np.abs(target - p.mean(axis=0)).max(),
            n=n,
            interval=interval(np.abs(target - resampled).max(axis=1)),
        )
    )
    for name, mean, between in zip(names, p.mean(axis=0), intervals(resampled), strict=True):
        rows.append(row("probability", mean, n=n, label=name, interval=between))
    scores = pd.DataFrame({"key": embedded.test.table["key"], **dict(zip(names, p.T, strict=True))})
    return Result(rows, scores)


def _parity(p: np.ndarray, resampled: np.ndarray, rng: np.random.Generator) -> list[dict]:
    parity = p[:, 0] - p[:, 1]
    return [
        row("parity_mean", parity.mean(), n=len(p), interval=interval(resampled[:, 0] - resampled[:, 1])),
        row("parity_median", np.median(parity), n=len(p), interval=interval(medians(parity, rng))),
    ]
