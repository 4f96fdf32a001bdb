import doctest

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from clipfair.balance import M4Balancer, estimator
from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Problem, collapse, solve


@pytest.fixture
def arrays(people, people_indicators):
    sensitive, labels = people_indicators(people)
    return sensitive.astype(float), labels.astype(int)


def test_the_example_of_the_docstring():
    assert doctest.testmod(estimator).failed == 0


def test_weights_are_those_of_the_exact_solver(arrays, people):
    target = [0.5, 0.5, 0.4]
    balancer = M4Balancer(target=target, rate=0.5, penalty=20.0, eps_association=0.01)
    assert balancer.fit(*arrays, utility=people.utility) is balancer
    patterns, index = collapse(*arrays, people.utility)
    settings = M4Settings(target, 0.5, penalty=20.0, eps_association=0.01)
    solution = solve(Problem(patterns, settings))
    np.testing.assert_array_equal(balancer.weights_, solution.weights[index])
    assert balancer.certificate_.relative_gap < 1e-9
    assert balancer.n_features_in_ == 3
    # Eq. (5): the same weights from the dual variables alone, for any rows.
    again = balancer.weigh(arrays[0][:50], arrays[1][:50], people.utility[:50])
    np.testing.assert_allclose(again, balancer.weights_[:50], atol=1e-12)


def test_parameters_are_those_of_scikit_learn(arrays):
    balancer = M4Balancer(rate=0.4, eps_association=0.01)
    assert balancer.get_params()["rate"] == 0.4
    assert balancer.set_params(rate=0.6).rate == 0.6
    with pytest.raises(ValueError, match="Invalid parameter"):
        balancer.set_params(ratio=1)
    copy = clone(balancer.fit(*arrays))
    assert copy.get_params() == balancer.get_params()
    assert not hasattr(copy, "weights_")
    before = balancer.get_params()
    assert balancer.fit(*arrays).get_params() == before
    assert "rate=0.6" in repr(balancer)


def test_names_of_groups_come_from_a_data_frame(arrays):
    frame = pd.DataFrame(arrays[0], columns=["women", "men", "young"])
    balancer = M4Balancer(rate=0.5).fit(frame, sparse.csr_array(arrays[1]))
    assert balancer.feature_names_in_.tolist() == ["women", "men", "young"]
    assert not hasattr(balancer.fit(arrays[0], arrays[1][:, 0]), "feature_names_in_")


def test_a_sample_follows_the_weights_and_the_seed(arrays):
    balancer = M4Balancer(rate=1.0, max_weight=np.inf).fit(*arrays)
    rows = balancer.sample(random_state=0)
    np.testing.assert_array_equal(rows, balancer.sample(random_state=0))
    assert not np.array_equal(rows, balancer.sample(random_state=1))
    assert set(np.flatnonzero(balancer.weights_ == balancer.weights_.max())) <= set(rows)
    expected = balancer.weights_.sum() / balancer.weights_.max()
    assert abs(len(rows) - expected) < 5 * np.sqrt(expected)


def test_the_largest_rate_violates_nothing(arrays):
    balancer = M4Balancer(rate="max").fit(*arrays)
    assert not balancer.certificate_.unsatisfied.any()
    assert balancer.weights_.mean() == pytest.approx(balancer.rate_)
    assert M4Balancer(rate="max", target=[0.5, 0.5, 0.5]).fit(arrays[0]).rate_ > 0.3  # without labels


def test_errors_say_what_is_expected(arrays):
    for method in (M4Balancer().sample, lambda: M4Balancer().weigh(*arrays)):
        with pytest.raises(NotFittedError):
            method()
    for balancer, message in (
        (M4Balancer(target="even"), "expected 'data'"),
        (M4Balancer(target=[0.5]), "3 sensitive groups but 1 targets"),
        (M4Balancer(rate="most"), "expected a number"),
        (M4Balancer(rate="max", max_weight=np.inf), "finite max_weight"),
        (M4Balancer(rate=2), "below the rate"),
    ):
        with pytest.raises(UserError, match=message):
            balancer.fit(*arrays)
    with pytest.raises(UserError, match=r"groups and .* labels do not fit"):
        M4Balancer(rate=0.5).fit(*arrays).weigh(arrays[0][:, :2], arrays[1])
