"""Representation bias of the model: the attributes it assigns to images without people.

Settings: ``attributes`` (words, k >= 2), ``target`` (their target shares pi; uniform by default),
``template``, and ``images`` with ``seed``: how many of the split's images are drawn.

The probabilities are the softmax over the attributes' logits with the model's own temperature (CLIP the Bias,
section 2; Definition 3 and section 4.1).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result
from clipfair.evaluate.similarity import probabilities
from clipfair.metrics.bootstrap import interval, intervals, means, medians
from clipfair.metrics.measure import Measure, make_measure


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Parity of two attributes, and the largest distance of any attribute from its target.

    The measures are ``parity_mean`` and ``parity_median`` of p(first) - p(second) if there are two
    attributes, ``representation_bias`` = max_k |pi_k - mean p_k|, and ``probability`` of each (label).
    """
    names = list(settings["attributes"])
    target = np.array(settings.get("target", [1 / len(names)] * len(names)))
    p = probabilities(embedded.test.images, embedded.texts["attributes"], scale=embedded.scale)
    resampled = means(p, rng)
    n = len(p)
    measures = _parity(p, resampled, rng) if len(names) == 2 else []
    measures.append(
        make_measure(
            "representation_bias",
            np.abs(target - p.mean(axis=0)).max(),
            n=n,
            interval=interval(np.abs(target - resampled).max(axis=1)),
        )
    )
    for name, mean, ends in zip(names, p.mean(axis=0), intervals(resampled), strict=True):
        measures.append(make_measure("probability", mean, n=n, label=name, interval=ends))
    scores = pd.DataFrame({"key": embedded.test.table["key"], **dict(zip(names, p.T, strict=True))})
    return Result(measures, scores)


def _parity(p: np.ndarray, resampled: np.ndarray, rng: np.random.Generator) -> list[Measure]:
    parity = p[:, 0] - p[:, 1]
    n, difference = len(p), resampled[:, 0] - resampled[:, 1]
    return [
        make_measure("parity_mean", parity.mean(), n=n, interval=interval(difference)),
        make_measure("parity_median", np.median(parity), n=n, interval=interval(medians(parity, rng))),
    ]
