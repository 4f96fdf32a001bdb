import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.tabular.methods import baseline, reduction


def test_keeps_its_promise_on_the_training_rows(training_data, classifier):
    outcome = reduction.fit_predict(training_data, reduction.Settings(), classifier=classifier, seed=0)
    plain = baseline.fit_predict(
        training_data, baseline.Settings(), classifier=classifier, seed=0
    ).predictions
    male = training_data.s_test == "male"
    difference = abs(outcome.predictions[male].mean() - outcome.predictions[~male].mean())
    draws = 4 * np.sqrt(0.25 / (~male).sum() + 0.25 / male.sum())
    assert difference < 2 * (0.01 + outcome.details["duality_gap"]) + draws
    assert abs(plain[male].mean() - plain[~male].mean()) > 0.2
    assert 1 <= outcome.details["classifiers_used"] <= outcome.details["classifiers_fitted"]


@pytest.mark.parametrize("settings", [{"difference_bound": 0}, {"eps": -1}, {"max_iter": 0}])
def test_bad_settings(settings):
    with pytest.raises(UserError, match="must be > 0"):
        reduction.Settings(**settings)
