"""Reduction to cost-sensitive classification (Agarwal et al., 2018), by fairlearn."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from clipfair.plan.mitigation_settings import ReductionSettings
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


def fit_predict(
    data: SplitData, settings: ReductionSettings, *, classifier: ClassifierMixin, seed: int
) -> Outcome:
    """Exponentiated gradient under demographic parity; predicts with one of its classifiers at random.

    The sensitive attribute is used in training only, apart from being a feature.
    """
    # Imported here because fairlearn takes a second to import.
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient

    reduction = ExponentiatedGradient(
        classifier,
        DemographicParity(difference_bound=settings.difference_bound),
        eps=settings.eps,
        max_iter=settings.max_iter,
    )
    with warnings.catch_warnings():
        # fairlearn 0.15 assigns to a series in a way that pandas 4 will no longer allow.
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
