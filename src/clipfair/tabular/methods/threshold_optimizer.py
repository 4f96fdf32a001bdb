"""Threshold optimizer (Hardt et al., 2016) under demographic parity, by fairlearn."""

import numpy as np
from sklearn.base import ClassifierMixin

from clipfair.plan.mitigation_settings import ThresholdOptimizerSettings
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


def fit_predict(
    data: SplitData, settings: ThresholdOptimizerSettings, *, classifier: ClassifierMixin, seed: int
) -> Outcome:
    """Fit classifier and thresholds to the training rows, as fairlearn does by default.

    The rule needs the sensitive attribute of the test rows, and is randomised.
    """
    # Imported here because fairlearn takes a second to import.
    from fairlearn.postprocessing import ThresholdOptimizer

    optimizer = ThresholdOptimizer(
        estimator=classifier,
        constraints="demographic_parity",
        objective="accuracy_score",
        predict_method=settings.predict_method,
    )
    optimizer.fit(data.X_train, data.y_train, sensitive_features=data.s_train)
    predictions = optimizer.predict(data.X_test, sensitive_features=data.s_test, random_state=seed)
    return Outcome(np.asarray(predictions, dtype=int))
