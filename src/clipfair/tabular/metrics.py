"""The metrics of Table 5 (appendix A.2.4), in percent."""

from collections.abc import Sequence

import numpy as np

from clipfair.metrics.fairness import demographic_parity_difference


def evaluate_predictions(
    y_true: np.ndarray, y_pred: np.ndarray, *, sensitive_features: np.ndarray, groups: Sequence[str]
) -> dict:
    """Demographic parity, error, and both by group.

    Parameters
    ----------
    y_true, y_pred : (n,) labels 0 and 1.
    sensitive_features : (n,) names of the groups.
    groups : all groups to compare.

    Returns
    -------
    ``n``;
    ``demographic_parity_difference``: max - min over groups of the selection rate P(y_pred = 1);
    ``error``: P(y_pred != y_true);
    ``balanced_error``: mean over the groups of their error ("average error rate across both
    subgroups", so the groups are balanced, not the classes);
    ``groups``: for each its ``n``, ``selection_rate`` and ``error``.
    A value that depends on an empty group is NaN. fairlearn's functions leave such a group out, and are not
    used for this reason.
    """
    by_group = {
        group: _rates(y_true[sensitive_features == group], y_pred[sensitive_features == group])
        for group in groups
    }
    selection = np.array([rates["selection_rate"] for rates in by_group.values()])
    errors = np.array([rates["error"] for rates in by_group.values()])
    return {
        "n": len(y_true),
        "demographic_parity_difference": float(demographic_parity_difference(selection)),
        "error": _percent(y_pred != y_true),
        "balanced_error": float(errors.mean()),
        "groups": by_group,
    }


def _rates(y_true: np.ndarray, y_pred: np.ndarray) -> dict:
    """The number of examples, the selection rate and the error of a group, in percent.

    :func:`clipfair.metrics.prediction.rates` takes probabilities and resamples and computes the AUC, too; the
    methods of Table 5 give labels, and its metrics need these two rates.
    """
    return {
        "n": len(y_true),
        "selection_rate": _percent(y_pred == 1),
        "error": _percent(y_pred != y_true),
    }


def _percent(events: np.ndarray) -> float:
    return 100 * float(events.mean()) if len(events) else float("nan")
