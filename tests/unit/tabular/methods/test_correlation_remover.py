# ruff: noqa: N803 - X is scikit-learn's name

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clipfair.plan.mitigation_settings import CorrelationRemoverSettings
from clipfair.tabular.methods import correlation_remover


class Recorder(LogisticRegression):
    """Keeps what it was last fitted to and asked about."""

    recorded: dict = {}  # noqa: RUF012 - shared on purpose: the method fits a clone

    def fit(self, X, y):
        self.recorded["train"] = X
        return super().fit(X, y)

    def predict(self, X):
        self.recorded["test"] = X
        return super().predict(X)


def features_of(data, alpha):
    settings = CorrelationRemoverSettings(alpha=alpha)
    correlation_remover.fit_predict(data, settings, classifier=Recorder(), seed=0)
    return Recorder.recorded["train"], Recorder.recorded["test"]


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_is_least_squares_by_hand(data, alpha):
    train, test = features_of(data, alpha)
    male_train, male_test = (s == "male" for s in (data.s_train, data.s_test))
    others = [i for i in range(data.X_train.shape[1]) if i not in data.sensitive_columns]
    for position, column in enumerate(others):
        z = data.X_train[:, column].astype(float)
        # The regression on one indicator has the difference of the two means for its slope.
        slope = z[male_train].mean() - z[~male_train].mean()
        for result, features, male in ((train, data.X_train, male_train), (test, data.X_test, male_test)):
            expected = features[:, column] - alpha * slope * (male - male_train.mean())
            np.testing.assert_allclose(result[:, position], expected, atol=1e-5)
    assert train.shape[1] == test.shape[1] == len(others)


def test_no_correlation_is_left(data):
    train, _ = features_of(data, 1.0)
    male = data.s_train == "male"
    np.testing.assert_allclose(train[male].mean(axis=0), train[~male].mean(axis=0), atol=1e-5)
    before = data.X_train[male].mean(axis=0) - data.X_train[~male].mean(axis=0)
    assert np.abs(before).max() > 0.5
