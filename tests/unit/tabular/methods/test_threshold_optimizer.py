from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from clipfair.plan.mitigation_settings import BaselineSettings, ThresholdOptimizerSettings
from clipfair.tabular.methods import baseline, threshold_optimizer
from clipfair.tabular.protocol import SplitData


@pytest.fixture
def copied(training_data: SplitData) -> SplitData:
    """The training rows again and again to be tested on, so that random draws average out."""
    index = np.tile(np.arange(len(training_data.y_train)), 40)
    return replace(
        training_data,
        # In float64, because fairlearn refuses the float32 probabilities of this classifier.
        X_train=training_data.X_train.astype(float),
        X_test=training_data.X_train[index].astype(float),
        y_test=training_data.y_train[index],
        s_test=training_data.s_train[index],
        rows_test=index,
    )


def predict(data, classifier, **settings):
    settings = ThresholdOptimizerSettings(**settings)
    return threshold_optimizer.fit_predict(data, settings, classifier=classifier, seed=0).predictions


def best_rule_on_hard_labels(y, hard, male):
    """Largest accuracy of P(1 | group, hard label) with equal selection rates: a linear program."""
    cells = [(male == g) & (hard == h) for g in (0, 1) for h in (0, 1)]
    gain = np.array([y[cell].sum() - (1 - y[cell]).sum() for cell in cells]) / len(y)
    rates = np.array([cell.sum() for cell in cells]) / np.repeat([(~male).sum(), male.sum()], 2)
    result = linprog(-gain, A_eq=[rates * [1, 1, -1, -1]], b_eq=[0], bounds=(0, 1))
    error = y.mean() + result.fun
    return error, rates[:2] @ result.x[:2]


def test_hard_labels_give_the_best_mixture_with_constants(copied, training_data, classifier):
    hard = baseline.fit_predict(training_data, BaselineSettings(), classifier=classifier, seed=0).predictions
    error, rate = best_rule_on_hard_labels(training_data.y_train, hard, training_data.s_train == "male")
    fair = predict(copied, classifier)
    male = copied.s_test == "male"
    # fairlearn looks for the selection rate on a grid of thousandths.
    assert (fair != copied.y_test).mean() == pytest.approx(error, abs=0.004)
    assert fair[male].mean() == pytest.approx(rate, abs=0.006)
    assert fair[~male].mean() == pytest.approx(rate, abs=0.006)


def test_probabilities_cost_less_accuracy_than_hard_labels(copied, classifier):
    soft, hard = (predict(copied, classifier, predict_method=name) for name in ("predict_proba", "predict"))
    male = copied.s_test == "male"
    assert abs(soft[male].mean() - soft[~male].mean()) < 0.006
    assert (soft != copied.y_test).mean() < (hard != copied.y_test).mean() - 0.01
