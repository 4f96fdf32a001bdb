import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

from clipfair.plan.mitigation_settings import ClassifierSettings
from clipfair.tabular.classifier import MLP, make_classifier

STEPS = 30


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4)).astype(np.float32)
    labels = (features[:, 0] * features[:, 1] + 0.3 * rng.normal(size=60) > 0).astype(int)
    return features, labels, rng.integers(0, 4, 60).astype(float)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("weighted", [False, True])
def test_full_batch_training_is_that_of_scikit_learn(problem, weighted):
    features, labels, weight = problem
    weight = weight if weighted else None
    start = MLP(hidden_units=8, learning_rate=0.02, batch_size=60, epochs=1, seed=3)
    start.set_params(epochs=0).fit(features, labels)
    ours = MLP(hidden_units=8, learning_rate=0.02, batch_size=60, epochs=STEPS, seed=3)
    ours.fit(features, labels, sample_weight=weight)

    reference = MLPClassifier(
        (8,),
        alpha=0,
        learning_rate_init=0.02,
        batch_size=60,
        shuffle=False,
        warm_start=True,
        max_iter=1,
        tol=0,
        n_iter_no_change=STEPS,
    )
    reference.fit(features.astype(float), labels)
    reference.coefs_ = [start.hidden_[:-1].astype(float), start.output_[:-1, None].astype(float)]
    reference.intercepts_ = [start.hidden_[-1].astype(float), start.output_[-1:].astype(float)]
    reference.set_params(max_iter=STEPS).fit(features.astype(float), labels, sample_weight=weight)

    assert reference.n_iter_ == STEPS
    assert np.abs(ours.hidden_ - start.hidden_).max() > 0.1
    np.testing.assert_allclose(ours.hidden_[:-1], reference.coefs_[0], atol=2e-4)
    np.testing.assert_allclose(ours.output_[:-1], reference.coefs_[1][:, 0], atol=2e-4)
    np.testing.assert_allclose(ours.predict_proba(features), reference.predict_proba(features), atol=2e-4)
    np.testing.assert_array_equal(ours.predict(features), reference.predict(features))


def test_an_integer_weight_counts_as_so_many_copies(problem):
    features, labels, weight = problem
    copies = np.repeat(np.arange(60), weight.astype(int))
    settings = {"hidden_units": 8, "batch_size": 1000, "epochs": STEPS}
    weighted = MLP(**settings).fit(features, labels, sample_weight=weight)
    copied = MLP(**settings).fit(features[copies], labels[copies])
    np.testing.assert_allclose(weighted.predict_proba(features), copied.predict_proba(features), atol=1e-5)


def test_learns_what_a_linear_model_cannot(problem):
    features, _, _ = problem
    labels = (features[:, 0] * features[:, 1] > 0).astype(int)
    fitted = MLP(learning_rate=0.02, batch_size=16, epochs=60).fit(features, labels)
    assert (fitted.predict(features) == labels).mean() > 0.95


def test_same_seed_same_bits_and_another_seed_others(problem):
    features, labels, _ = problem
    first, again, other = (
        make_classifier(ClassifierSettings(batch_size=16), seed=seed).fit(features, labels)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.hidden_, again.hidden_)
    assert not np.array_equal(first.hidden_, other.hidden_)


def test_probabilities_sum_to_one_and_agree_with_the_labels(problem):
    features, labels, _ = problem
    fitted = MLP().fit(features, labels)
    probability = fitted.predict_proba(features)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(probability.argmax(axis=1), fitted.predict(features))


def test_a_minibatch_without_weight_changes_nothing(problem):
    features, labels, _ = problem
    start = MLP(epochs=0).fit(features, labels)
    fitted = MLP(epochs=2, batch_size=7).fit(features, labels, sample_weight=np.zeros(60))
    np.testing.assert_array_equal(fitted.hidden_, start.hidden_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_classifier_of_scikit_learn_has_the_same_settings_and_takes_weights(problem):
    features, labels, weight = problem
    settings = ClassifierSettings(hidden_units=8, batch_size=16, epochs=40, library="scikit-learn")
    fitted = make_classifier(settings, seed=1).fit(features, labels, sample_weight=weight)
    assert isinstance(fitted, MLPClassifier)
    assert fitted.n_iter_ == 40
    assert [layer.shape for layer in fitted.coefs_] == [(4, 8), (8, 1)]
    unweighted = make_classifier(settings, seed=1).fit(features, labels)
    assert not np.allclose(fitted.coefs_[0], unweighted.coefs_[0])


def test_can_be_cloned():
    assert clone(MLP(hidden_units=5, seed=9)).get_params() == MLP(hidden_units=5, seed=9).get_params()
