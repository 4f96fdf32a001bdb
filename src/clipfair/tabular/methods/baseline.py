"""Baseline: the base classifier, no mitigation."""

from sklearn.base import ClassifierMixin, clone

from clipfair.plan.mitigation_settings import BaselineSettings
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


def fit_predict(
    data: SplitData, settings: BaselineSettings, *, classifier: ClassifierMixin, seed: int
) -> Outcome:
    """Fit to the training rows, predict the test rows."""
    fitted = clone(classifier).fit(data.X_train, data.y_train)
    return Outcome(fitted.predict(data.X_test))
