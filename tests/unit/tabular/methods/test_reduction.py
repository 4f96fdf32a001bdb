import numpy as np

from clipfair.plan.mitigation_settings import BaselineSettings, ReductionSettings
from clipfair.tabular.methods import baseline, reduction


def test_keeps_its_promise_on_the_training_rows(training_data, classifier):
    outcome = reduction.fit_predict(training_data, ReductionSettings(), classifier=classifier, seed=0)
    plain = baseline.fit_predict(training_data, BaselineSettings(), classifier=classifier, seed=0).predictions
    male = training_data.s_test == "male"
    difference = abs(outcome.predictions[male].mean() - outcome.predictions[~male].mean())
    draws = 4 * np.sqrt(0.25 / (~male).sum() + 0.25 / male.sum())
    assert difference < 2 * (0.01 + outcome.details["duality_gap"]) + draws
    assert abs(plain[male].mean() - plain[~male].mean()) > 0.2
    assert 1 <= outcome.details["classifiers_used"] <= outcome.details["classifiers_fitted"]
