import numpy as np
from sklearn.linear_model import LogisticRegression

from clipfair.plan.mitigation_settings import BaselineSettings
from clipfair.tabular.methods import baseline


def test_is_the_classifier_and_leaves_the_given_one_unfitted(data, classifier):
    outcome = baseline.fit_predict(data, BaselineSettings(), classifier=classifier, seed=0)
    expected = LogisticRegression().fit(data.X_train, data.y_train).predict(data.X_test)
    np.testing.assert_array_equal(outcome.predictions, expected)
    assert not hasattr(classifier, "coef_")
