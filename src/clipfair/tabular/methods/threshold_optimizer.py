"""Threshold optimizer (Hardt et al., 2016) under demographic parity, by fairlearn."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin

from clipfair.core.errors import UserError
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData

PREDICT_METHODS = ("predict", "predict_proba")


@dataclass(frozen=True)
class Settings:
    """What the thresholds apply to.

    Attributes
    ----------
    predict_method : ``"predict"``, the classifier's hard labels: fairlearn's default until 0.10,
        hence the paper's; a group's rule then mixes the classifier with a constant.
        ``"predict_proba"``: its probabilities, which the method was made for.
    """

    predict_method: str = "predict"

    def __post_init__(self) -> None:
        if self.predict_method not in PREDICT_METHODS:
            raise UserError(
                f"threshold_optimizer: predict_method is {self.predict_method!r}; "
                f"known: {', '.join(PREDICT_METHODS)}"
            )


def fit_predict(data: SplitData, settings: Settings, *, classifier: ClassifierMixin, seed: int) -> Outcome:
    """Fit classifier and thresholds to the training rows, as fairlearn does by itself.

    The rule needs the sensitive attribute of the test rows, and is randomised.
    """
    # Here, because fairlearn takes a second to import and the settings are checked without it.
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
