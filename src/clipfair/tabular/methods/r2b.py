"""Reduce-to-binary (Alabdulmohsin et al., 2022): soft labels with the same mean in all groups.

The method projects the one-hot labels onto those whose mean in each group is the overall mean. The
authors' code does so by ADMM; for two classes the projection is in closed form.
"""

import numpy as np
from sklearn.base import ClassifierMixin, clone

from clipfair.plan.mitigation_settings import R2BSettings
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


def fit_predict(data: SplitData, settings: R2BSettings, *, classifier: ClassifierMixin, seed: int) -> Outcome:
    """Fit the classifier to soft labels; predictions do not need the sensitive attribute.

    The log-loss of a soft label f is that of label 1 with weight f plus that of label 0 with weight
    1 - f, so a row with 0 < f < 1 is trained on twice.
    """
    soft = soft_labels(data.y_train, data.s_train)
    rows = np.concatenate([np.flatnonzero(soft > 0), np.flatnonzero(soft < 1)])
    labels = np.repeat([1, 0], [np.count_nonzero(soft > 0), np.count_nonzero(soft < 1)])
    weight = np.where(labels == 1, soft[rows], 1 - soft[rows])
    fitted = clone(classifier).fit(data.X_train[rows], labels, sample_weight=weight)
    details = {"soft_rows": int(np.count_nonzero((soft > 0) & (soft < 1)))}
    return Outcome(fitted.predict(data.X_test), details)


def soft_labels(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Soft labels in [0, 1] nearest to ``y`` in the least squares whose mean is the same in all groups.

    In a group with p > rho, positive labels become rho / p; in one with p < rho, negative labels become
    (rho - p) / (1 - p); p is the group's mean and rho the overall one.
    """
    rho = y.mean()
    soft = y.astype(float)
    for group in np.unique(groups):
        member = groups == group
        mean = y[member].mean()
        if mean > rho:
            soft[member & (y == 1)] = rho / mean
        elif mean < rho:
            soft[member & (y == 0)] = (rho - mean) / (1 - mean)
    return soft
