"""The result of a mitigation method, and the draw of labels from probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """Predictions on the test rows.

    Attributes
    ----------
    predictions : (n_test,) of 0 and 1.
    details : facts about the fit: numbers, texts and lists of them, for JSON.
    """

    predictions: np.ndarray
    details: Mapping = field(default_factory=dict)


def draw(probability: np.ndarray, *, seed: int) -> np.ndarray:
    """Labels 0 and 1 that are 1 with the given probabilities; the random stream is not that of the split."""
    return (np.random.default_rng([seed, 1]).random(len(probability)) < probability).astype(int)
