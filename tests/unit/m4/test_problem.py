import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Patterns, Problem, bias_vector, collapse, weights
from clipfair.m4.problem import distinct_rows, eps_offset, from_signed, to_signed


@settings(deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(0, 2)))
def test_distinct_rows_are_the_unique_ones_and_rebuild_the_input(rows):
    distinct, index = distinct_rows(rows)
    np.testing.assert_array_equal(distinct[index], rows)
    assert len(distinct) == len(np.unique(rows, axis=0))


def test_collapse_keeps_every_example(random_examples):
    sensitive, labels, utility = random_examples(300, 2, 4, seed=0, utilities=True)
    patterns, index = collapse(sensitive, labels, utility)
    np.testing.assert_array_equal(patterns.sensitive[index], sensitive)
    np.testing.assert_array_equal(patterns.labels.toarray()[index], labels)
    np.testing.assert_array_equal(patterns.utility[index], utility)
    np.testing.assert_array_equal(patterns.count, np.bincount(index))
    assert patterns.examples == 300


def test_bias_vector_by_its_definition_one_entry_at_a_time():
    rng = np.random.default_rng(0)
    sensitive, labels = rng.integers(0, 2, (5, 2)), rng.integers(0, 2, (5, 3))
    asked = M4Settings(np.array([0.3, 0.6]), 0.5, eps_association=0.1, eps_representation=0.2)
    a = bias_vector(sensitive, labels, asked)
    for i in range(5):
        z = sensitive[i] - asked.target
        products = [z[k] * labels[i, r] for k in range(2) for r in range(3)]
        expected = [p - 0.1 for p in products] + [-p - 0.1 for p in products]
        expected += [x - 0.2 for x in z] + [-x - 0.2 for x in z]
        np.testing.assert_allclose(a[i], expected)


@settings(deadline=None)
@given(arrays(float, (3, 4), elements=st.floats(-5, 5)))
def test_signed_multipliers_go_there_and_back(w):
    v = from_signed(w)
    assert (v >= 0).all()
    np.testing.assert_array_equal(to_signed(v, groups=3), w)


@pytest.mark.parametrize("reading", ["normalised", "literal"])
def test_weights_minimise_the_lagrangian_by_brute_force(reading):
    rng = np.random.default_rng(1)
    sensitive, labels, utility = (
        rng.integers(0, 2, (20, 2)),
        rng.integers(0, 2, (20, 3)),
        rng.uniform(0.5, 2, 20),
    )
    asked = M4Settings(
        np.array([0.3, 0.6]),
        0.5,
        max_weight=1.2,
        eps_association=0.1,
        eps_representation=0.2,
        eps_reading=reading,
    )
    v, mu = rng.exponential(0.3, 16), 0.1
    q = weights(sensitive, labels, utility, v=v, mu=mu, settings=asked)
    score = bias_vector(sensitive, labels, asked) @ v + mu
    if reading == "literal":  # its constraint has no eps inside the expectation
        score = score + 0.1 * v[:12].sum() + 0.2 * v[12:].sum()
    grid = np.linspace(0, 1.2, 12001)
    lagrangian = utility[:, None] / 2 * (grid - 0.5) ** 2 + score[:, None] * grid
    np.testing.assert_allclose(q, grid[lagrangian.argmin(axis=1)], atol=1e-4)


def test_equation_5_as_printed():
    rng = np.random.default_rng(2)
    sensitive, labels, u = rng.integers(0, 2, (50, 2)), rng.integers(0, 2, (50, 3)), rng.uniform(0.5, 2, 50)
    asked = M4Settings(np.array([0.3, 0.6]), 0.5, max_weight=0.8, eps_association=0.1)
    v, mu = rng.exponential(0.5, 16), -0.1
    omega = bias_vector(sensitive, labels, asked) @ v + mu
    eta, q_max = 0.5, 0.8
    printed = eta - (omega + np.maximum(u * (eta - q_max) - omega, 0) - np.maximum(omega - eta * u, 0)) / u
    q = weights(sensitive, sparse.csr_array(labels), u, v=v, mu=mu, settings=asked)
    np.testing.assert_allclose(q, printed, atol=1e-14)
    assert eps_offset(v, asked) == pytest.approx(0.1 * v[:12].sum())


def test_weights_refuse_other_columns():
    with pytest.raises(UserError, match="do not fit"):
        weights(
            np.ones((1, 2)),
            np.ones((1, 3)),
            np.ones(1),
            v=np.zeros(8),
            mu=0,
            settings=M4Settings([0.5, 0.5], 0.5),
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": [1.2]}, "targets must be proportions"),
        ({"rate": 0}, "rate"),
        ({"rate": np.nan}, "rate"),
        ({"rate": 1.5}, "below the rate"),
        ({"penalty": 0}, "penalty"),
        ({"penalty": np.inf}, "penalty"),
        ({"eps_association": -0.1}, "eps_association"),
        ({"eps_representation": 1.0}, "eps_representation"),
        ({"eps_reading": "other"}, "eps_reading"),
    ],
)
def test_settings_refuse(change, message):
    with pytest.raises(UserError, match=message):
        M4Settings(**({"target": [0.5], "rate": 0.5} | change))


def _patterns(**change):
    parts = {
        "sensitive": np.array([[1], [0]]),
        "labels": sparse.csr_array(np.array([[1.0], [0.0]])),
        "utility": np.ones(2),
        "count": np.array([1, 2]),
    }
    return Patterns(**(parts | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sensitive": np.array([[2], [0]])}, "0 or 1"),
        ({"sensitive": np.zeros((2, 0))}, "m >= 1"),
        ({"labels": sparse.csr_array(np.array([[1.5], [0.0]]))}, "0 or 1"),
        ({"utility": np.array([0.0, 1.0])}, "greater than 0"),
        ({"utility": np.ones(3)}, "differ in length"),
        ({"count": np.array([0, 1])}, "at least 1"),
        ({"count": np.array([])}, "no examples"),
    ],
)
def test_patterns_refuse(change, message):
    with pytest.raises(UserError, match=message):
        _patterns(**change)


def test_problem_refuses_targets_that_do_not_fit():
    with pytest.raises(UserError, match="1 sensitive groups but 2 targets"):
        Problem(_patterns(), M4Settings([0.5, 0.5], 0.5))


def test_collapse_refuses():
    with pytest.raises(UserError, match="no examples"):
        collapse(np.zeros((0, 1)), np.zeros((0, 1)))
    with pytest.raises(UserError, match="0 or 1"):
        collapse(np.array([[2]]), np.array([[1]]))


@pytest.mark.parametrize("of", [pd.DataFrame, np.ndarray.tolist, sparse.csr_array, np.array])
def test_collapse_takes_frames_lists_and_sparse_matrices(random_examples, of):
    sensitive, labels, utility = random_examples(100, 2, 3, seed=1, utilities=True)
    expected, expected_index = collapse(sensitive, labels, utility)
    patterns, index = collapse(of(sensitive), of(labels), utility.tolist())
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_array_equal(patterns.sensitive, expected.sensitive)
    np.testing.assert_array_equal(patterns.labels.toarray(), expected.labels.toarray())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 0], [[1], [0]]), r"sensitive has shape \(2,\), expected \(n, k\)"),
        (([[1], [0]], [1, 0]), r"labels has shape \(2,\), expected \(n, k\)"),
        (([["a"], ["b"]], [[1], [0]]), "sensitive must be an .* array of numbers"),
        (([[1], [0, 1]], [[1], [0]]), "sensitive must be an .* array of numbers"),
        (([[1], [0]], [[np.nan], [0]]), "labels holds NaN"),
        (([[1], [0]], [[1], [0], [1]]), r"have \(2, 3, 2\) rows"),
        (([[1], [0]], [[1], [0]], [1.0]), r"have \(2, 2, 1\) rows"),
        (([[1], [0]], [[1], [0]], [[1.0], [1.0]]), r"utility has shape \(2, 1\), expected \(n,\)"),
        (([[1], [0]], [[1], [0]], ["much", "more"]), "utility must be one number"),
        (([[1], [0]], [[1], [0]], [1.0, -1.0]), "greater than 0"),
    ],
)
def test_collapse_names_what_it_expects(arguments, message):
    with pytest.raises(UserError, match=message):
        collapse(*arguments)


def test_collapse_keeps_probabilities_and_counts_equal_ones_once():
    sensitive = np.array([[0.25], [1.0], [0.25], [0.0], [-0.0]])
    labels = np.array([[1], [0], [1], [1], [1]])
    patterns, index = collapse(sensitive, labels)
    assert index.tolist() == [0, 1, 0, 2, 2]
    np.testing.assert_array_equal(patterns.sensitive.ravel(), [0.25, 1, 0])
    np.testing.assert_array_equal(patterns.count, [2, 1, 2])
