"""Randomized threshold optimizer (Alabdulmohsin & Lucic, 2021), solved exactly.

The authors' code finds the thresholds by stochastic gradients. For demographic parity they are one
scalar per group, the root of a falling function, so they are computed to machine precision here.
"""

import numpy as np
from scipy.optimize import brentq
from sklearn.base import ClassifierMixin, clone

from clipfair.plan.mitigation_settings import RTOSettings
from clipfair.tabular.outcome import Outcome, draw
from clipfair.tabular.protocol import SplitData


def fit_predict(data: SplitData, settings: RTOSettings, *, classifier: ClassifierMixin, seed: int) -> Outcome:
    """Fit the classifier, then the thresholds, to the training rows.

    The paper of the method fits the thresholds to rows that the classifier has not seen;
    *CLIP the Bias* does not mention a third part, and the other post-processor uses the training rows.
    The rule needs the sensitive attribute of the test rows.
    """
    fitted = clone(classifier).fit(data.X_train, data.y_train)
    train = fitted.predict_proba(data.X_train)[:, 1]
    rho = float(train.mean()) if settings.rho == "mean" else float(settings.rho)
    shifts = {
        group: threshold(
            _score(train[data.s_train == group]), gamma=settings.gamma, rho=rho, eps=settings.eps
        )
        for group in np.unique(data.s_train)
    }
    # A group without training rows has no threshold: its scores are not shifted.
    shift = np.array([shifts.get(group, 0.0) for group in data.s_test])
    probability = decide(_score(fitted.predict_proba(data.X_test)[:, 1]), shift, gamma=settings.gamma)
    return Outcome(draw(probability, seed=seed), {"rho": rho, "thresholds": shifts})


def decide(score: np.ndarray, shift: np.ndarray | float, *, gamma: float) -> np.ndarray:
    """Probability of a positive decision: clip((score - shift) / gamma, 0, 1)."""
    return np.clip((score - shift) / gamma, 0, 1)


def threshold(score: np.ndarray, *, gamma: float, rho: float, eps: float) -> float:
    """The shift of one group's scores that solves the method's problem.

    That is min gamma/2 ||x||^2 - score'x over 0 <= x <= 1 with |mean x - rho| <= eps / 2, whose
    solution is ``decide(score, shift)``: the shift is the multiplier of the constraint, 0 if the
    constraint does not bind.
    """

    def mean_decision(shift: float) -> float:
        return decide(score, shift, gamma=gamma).mean()

    target = np.clip(mean_decision(0.0), rho - eps / 2, rho + eps / 2)
    if target == mean_decision(0.0):
        return 0.0
    # Every decision is 1 at the lower end, and 0 at the upper end.
    low, high = score.min() - gamma, score.max()
    return float(brentq(lambda shift: mean_decision(shift) - np.clip(target, 0, 1), low, high, xtol=1e-14))


def _score(probability: np.ndarray) -> np.ndarray:
    return 2 * np.asarray(probability, dtype=float) - 1
