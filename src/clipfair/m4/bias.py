"""Data representation bias and data association bias (Definitions 1 and 2), weighted."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Moments:
    """The moments that determine the two biases. Those of shards add up.

    Attributes
    ----------
    total : the sum of weights.
    groups : (m,) weight in each group; ``labels`` : (c,) weight with each label.
    joint : (m, c) weight in the group and with the label.
    """

    total: float
    groups: np.ndarray
    labels: np.ndarray
    joint: np.ndarray

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.total + other.total,
            self.groups + other.groups,
            self.labels + other.labels,
            self.joint + other.joint,
        )


def moments(sensitive: np.ndarray, labels: sparse.sparray | np.ndarray, weights: np.ndarray) -> Moments:
    """Moments of weighted examples: (n, m), (n, c), and (n,) weights (counts, q, or their product)."""
    weighted = sensitive * weights[:, None]
    return Moments(
        total=float(weights.sum()),
        groups=weighted.sum(axis=0),
        labels=labels.T @ weights,
        joint=(labels.T @ weighted).T,
    )


def representation(data: Moments) -> np.ndarray:
    """E[s_k], (m,); NaN without any weight."""
    return _ratio(data.groups, np.full(len(data.groups), data.total))


def frequency(data: Moments) -> np.ndarray:
    """E[y_r], (c,); NaN without any weight."""
    return _ratio(data.labels, np.full(len(data.labels), data.total))


def representation_bias(data: Moments, target: np.ndarray) -> float:
    """Definition 1: max over k of |pi_k - E[s_k]|, in [0, 1]."""
    return float(np.abs(target - representation(data)).max())


def association(data: Moments) -> np.ndarray:
    """E[y_r | s_k = 1] - E[y_r | s_k = 0], (m, c), in [-1, 1]; NaN where one side has no weight."""
    inside, outside = data.groups[:, None], data.total - data.groups[:, None]
    return _ratio(data.joint, inside) - _ratio(data.labels - data.joint, outside)


def association_bias(data: Moments) -> float:
    """Definition 2: max over k and r of |E[y_r | s_k = 1] - E[y_r | s_k = 0]|, in [0, 1].

    Undefined associations are left out; NaN if all are.
    """
    size = np.abs(association(data))
    return float(np.nanmax(size)) if np.isfinite(size).any() else np.nan


def correlation(data: Moments) -> np.ndarray:
    """Pearson's correlation of each s_k and y_r, (m, c), in [-1, 1]; NaN where one is constant."""
    group_share, label_share = representation(data), frequency(data)
    group_std = np.sqrt(np.clip(group_share * (1 - group_share), 0, None))[:, None]
    label_std = np.sqrt(np.clip(label_share * (1 - label_share), 0, None))
    return _ratio(association(data) * group_std, label_std)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    # The difference between a total and a group that holds all of it is zero only up to rounding.
    whole = np.broadcast_to(whole, part.shape)
    is_zero = np.abs(whole) <= 1e-12 * max(1.0, float(np.abs(whole).max(initial=0.0)))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=~is_zero)
