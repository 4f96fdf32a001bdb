import doctest
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

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
        M4Balancer(rate=0.5).fit(*arrays).weigh(arrays[0], arrays[1][:, :2])


# scikit-learn's own checks fit numbers of any size, which are no groups; these apply to any input.
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_estimators_unfitted,
        estimator_checks.check_estimators_empty_data_messages,
        estimator_checks.check_complex_data,
        estimator_checks.check_fit1d,
    ],
)
def test_checks_of_scikit_learn(check):
    check("M4Balancer", M4Balancer())


def test_kinds_of_input_give_the_same_weights(arrays):
    sensitive, labels = arrays
    expected = M4Balancer(rate=0.5).fit(sensitive, labels).weights_
    frame = pd.DataFrame(sensitive, columns=["women", "men", "young"])
    kinds = {
        "lists": (sensitive.tolist(), labels.tolist()),
        "booleans": (sensitive.astype(bool), labels.astype(bool)),
        "Fortran order": (np.asfortranarray(sensitive), np.asfortranarray(labels)),
        "sparse": (sparse.csr_matrix(sensitive), sparse.coo_array(labels)),
        "data frames": (frame, pd.DataFrame(labels)),
        "nullable": (frame.astype("Int64"), pd.DataFrame(labels).astype("boolean")),
    }
    for read_only in (sensitive, labels):
        read_only.setflags(write=False)
    for kind, (X, y) in kinds.items():  # noqa: N806  # scikit-learn's name
        np.testing.assert_array_equal(M4Balancer(rate=0.5).fit(X, y).weights_, expected, err_msg=kind)


def test_a_fitted_balancer_is_pickled(arrays):
    balancer = M4Balancer(rate=0.5).fit(*arrays)
    read = pickle.loads(pickle.dumps(balancer))
    np.testing.assert_array_equal(read.weigh(*arrays), balancer.weigh(*arrays))


def test_the_groups_to_weigh_are_those_of_the_fit(arrays):
    frame = pd.DataFrame(arrays[0], columns=["women", "men", "young"])
    balancer = M4Balancer(rate=0.5).fit(frame, arrays[1])
    with pytest.raises(ValueError, match="the fit had women, men, young"):
        balancer.weigh(frame[["men", "women", "young"]], arrays[1])
    with pytest.raises(ValueError, match="X has 2 features, but M4Balancer is expecting 3"):
        balancer.weigh(arrays[0][:, :2], arrays[1])


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "X holds NaN"), (2, "must be 0 or 1"), (-1, "must be 0 or 1")]
)
def test_values_that_are_no_groups_are_value_errors(arrays, value, message):
    sensitive = arrays[0].copy()
    sensitive[3, 1] = value
    with pytest.raises(ValueError, match=message):
        M4Balancer(rate=0.5).fit(sensitive, arrays[1])
