"""Correlation remover, by fairlearn: features made linearly uncorrelated with the attribute."""

from dataclasses import dataclass

from sklearn.base import ClassifierMixin, clone

from clipfair.core.errors import UserError
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData


@dataclass(frozen=True)
class Settings:
    """fairlearn's name and default.

    Attributes
    ----------
    alpha : share of the correlation to remove, in [0, 1].
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise UserError(f"correlation_remover: alpha is {self.alpha!r}, expected a number from 0 to 1")


def fit_predict(data: SplitData, settings: Settings, *, classifier: ClassifierMixin, seed: int) -> Outcome:
    """Fit the projection and the classifier to the training rows; the attribute is no feature any more."""
    # Here, because fairlearn takes a second to import and the settings are checked without it.
    from fairlearn.preprocessing import CorrelationRemover

    remover = CorrelationRemover(sensitive_feature_ids=data.sensitive_columns, alpha=settings.alpha)
    fitted = clone(classifier).fit(remover.fit_transform(data.X_train), data.y_train)
    return Outcome(fitted.predict(remover.transform(data.X_test)))
