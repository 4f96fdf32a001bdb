"""M4, the data balancing of *CLIP the Bias*, before training: the last row of Table 5.

The sensitive attribute and one label make a few patterns (s, y), four for two groups, and the weights depend
on these alone. All groups but the last, in alphabetical order, are the indicators s_k: the last one follows
from the others.
"""

import numpy as np
from sklearn.base import ClassifierMixin, clone

from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys
from clipfair.m4 import bias, exact, problem
from clipfair.m4.rate import max_rate
from clipfair.m4.sampling import keep
from clipfair.plan.mitigation_settings import M4MitigationSettings
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


def fit_predict(
    data: SplitData, settings: M4MitigationSettings, *, classifier: ClassifierMixin, seed: int
) -> Outcome:
    """Balance the training rows, then fit the classifier to them."""
    sensitive = indicators(data.s_train, data.groups[:-1])
    labels = data.y_train[:, None]
    weights, details = balance(sensitive, labels, settings)
    if settings.use == "subsample":
        hashes = hash_keys(data.rows_train.astype(str), seed=seed)
        kept = keep(hashes, weights, max_weight=settings.max_weight)
        details |= {"rows_kept": int(kept.sum())}
        details |= _biases("kept", sensitive, labels, kept.astype(float), np.array(details["target"]))
        fitted = clone(classifier).fit(data.X_train[kept], data.y_train[kept])
    else:
        weights = weights / weights.mean()
        fitted = clone(classifier).fit(data.X_train, data.y_train, sample_weight=weights)
    return Outcome(fitted.predict(data.X_test), details)


def balance(
    sensitive: np.ndarray, labels: np.ndarray, settings: M4MitigationSettings
) -> tuple[np.ndarray, dict]:
    """M4's weights q of each row, (n,), and details of the solution.

    Parameters
    ----------
    sensitive, labels
        (n, m) and (n, c) indicators.
    """
    groups = sensitive.shape[1]
    target = sensitive.mean(axis=0) if settings.target == "data" else np.full(groups, 1 / (groups + 1))
    patterns, index = problem.collapse(sensitive, labels)
    rate = _rate(patterns, target, settings)
    wanted = problem.M4Settings(target=target, rate=rate, penalty=settings.penalty, **settings.limits)
    solution = exact.solve(problem.Problem(patterns, wanted))
    weights = solution.weights[index]
    details = {
        "target": target.tolist(),
        "rate": rate,
        "relative_gap": solution.certificate.relative_gap,
        "largest_violation": float(solution.certificate.violation.max()),
        **_biases("before", sensitive, labels, np.ones(len(weights)), target),
        **_biases("weighted", sensitive, labels, weights, target),
    }
    return weights, details


def indicators(groups: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(n, len(names)) uint8 array: 1 where the row is in that group."""
    return (groups[:, None] == np.array(names, dtype=object)).astype(np.uint8)


def _rate(patterns: problem.Patterns, target: np.ndarray, settings: M4MitigationSettings) -> float:
    if settings.rate != "max":
        return float(settings.rate)
    rate = max_rate(patterns, target, **settings.limits)
    if rate == 0:
        raise UserError(
            "m4: no rate > 0 satisfies the constraints on these rows; give a rate instead of 'max'"
        )
    return rate


def _biases(
    when: str, sensitive: np.ndarray, labels: np.ndarray, weights: np.ndarray, target: np.ndarray
) -> dict:
    """The two biases (Definitions 1 and 2), each in [0, 1], under names that end with ``when``."""
    moments = bias.moments(sensitive, labels, weights)
    return {
        f"representation_bias_{when}": bias.representation_bias(moments, target),
        f"association_bias_{when}": bias.association_bias(moments),
    }
