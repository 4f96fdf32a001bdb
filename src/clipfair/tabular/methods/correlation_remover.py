"""Correlation remover, by fairlearn: features made linearly uncorrelated with the attribute."""

from sklearn.base import ClassifierMixin, clone

from clipfair.plan.mitigation_settings import CorrelationRemoverSettings
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


def fit_predict(
    data: SplitData, settings: CorrelationRemoverSettings, *, classifier: ClassifierMixin, seed: int
) -> Outcome:
    """Fit the projection and the classifier to the training rows; the attribute is no longer a feature."""
    # Imported here because fairlearn takes a second to import.
    from fairlearn.preprocessing import CorrelationRemover

    remover = CorrelationRemover(sensitive_feature_ids=data.sensitive_columns, alpha=settings.alpha)
    fitted = clone(classifier).fit(remover.fit_transform(data.X_train), data.y_train)
    return Outcome(fitted.predict(remover.transform(data.X_test)))
