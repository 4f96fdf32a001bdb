"""Reweighing (Kamiran and Calders, 2012): group and label are independent in the weighted data."""

import numpy as np


def weights(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return P(a) P(y) / P(a, y) of each example's group a and label y; (n,), mean 1."""
    counts = np.zeros((groups.max() + 1, 2))
    np.add.at(counts, (groups, labels), 1)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / len(groups)
    return (expected / counts)[groups, labels]
