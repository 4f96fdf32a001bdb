"""Reduction to cost-sensitive classification (Agarwal et al., 2018), by fairlearn."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from clipfair.core.errors import UserError
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


@dataclass(frozen=True)
class Settings:
    """fairlearn's names and defaults.

    Attributes
    ----------
    difference_bound : allowed difference between a group's selection rate and the overall one; two
        groups may differ by twice as much.
    eps : 1 / eps bounds the Lagrange multipliers.
    max_iter : iterations at most; each fits two or three classifiers.
    """

    difference_bound: float = 0.01
    eps: float = 0.01
    max_iter: int = 50

    def __post_init__(self) -> None:
        if not (self.difference_bound > 0 and self.eps > 0 and self.max_iter >= 1):
            raise UserError(
                "reduction: difference_bound and eps must be > 0 and max_iter >= 1, "
                f"got {self.difference_bound}, {self.eps}, {self.max_iter}"
            )


def fit_predict(data: SplitData, settings: Settings, *, classifier: ClassifierMixin, seed: int) -> Outcome:
    """Exponentiated gradient under demographic parity; predicts with one of its classifiers at random.

    The sensitive attribute serves training only, beyond being a feature.
    """
    # Here, because fairlearn takes a second to import and the settings are checked without it.
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient

    reduction = ExponentiatedGradient(
        classifier,
        DemographicParity(difference_bound=settings.difference_bound),
        eps=settings.eps,
        max_iter=settings.max_iter,
    )
    with warnings.catch_warnings():
        # fairlearn 0.15 sets items of a series in a way that pandas 4 will refuse; harmless until then.
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        reduction.fit(data.X_train, data.y_train, sensitive_features=data.s_train)
    predictions = reduction.predict(data.X_test, random_state=seed)
    details = {
        "classifiers_fitted": int(reduction.n_oracle_calls_),
        "classifiers_used": int(np.count_nonzero(reduction.weights_ > 0)),
        "iterations": int(reduction.last_iter_) + 1,
        "duality_gap": float(reduction.best_gap_),
    }
    return Outcome(np.asarray(predictions, dtype=int), details)
