import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, auc, roc_curve

from clipfair.metrics.bootstrap import draw_counts
from clipfair.metrics.fairness import (
    COMPARISONS,
    demographic_parity_difference,
    equalized_odds_difference,
    equity_scaled,
)
from clipfair.metrics.fairness_measures import measure_fairness
from clipfair.metrics.prediction import predict

GROUPS = ("a", "b", "c")
EXAMPLES = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.7000001, 0.9]), st.sampled_from(GROUPS)
    ),
    min_size=1,
    max_size=40,
)


def columns(examples):
    y, p, group = zip(*examples, strict=True)
    return np.array(y), np.array(p), np.array(group, dtype=object)


def made(n=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    group = rng.choice(GROUPS, n, p=[0.2, 0.3, 0.5])
    p = np.clip(0.5 + 0.1 * rng.normal(size=n) + 0.05 * (y - 0.5) * (group == "a"), 0, 1).round(2)
    return y, p, pd.Series(pd.Categorical(group, GROUPS))


def by_name(measures):
    return {(m.metric, m.label, m.group): m for m in measures}


def sklearn_auc(y, p):
    false_positives, true_positives, _ = roc_curve(y, p)
    return auc(false_positives, true_positives)


def test_worked_example():
    y = np.array([1, 0, 1, 0])
    p = np.array([0.9, 0.1, 0.4, 0.6])
    group = pd.Series(pd.Categorical(["a", "a", "b", "b"]))
    found = by_name(measure_fairness(y, p, sensitive_features={"s": group}))
    values = {name: measure.value for name, measure in found.items()}
    assert values == {
        ("auc", None, None): 0.75,
        ("accuracy", None, None): 0.5,
        ("selection_rate", None, None): 0.5,
        ("es_auc", "s", None): 0.75 / (1 + 0.25 + 0.75),
        ("es_accuracy", "s", None): 0.5 / (1 + 0.5 + 0.5),
        ("dpd", "s", None): 0.0,
        ("deodds", "s", None): 1.0,
        ("disparity_std", "s", None): 0.5 / 0.75,
        ("disparity_range", "s", None): 1 / 0.75,
        ("auc", "s", "a"): 1.0,
        ("accuracy", "s", "a"): 1.0,
        ("selection_rate", "s", "a"): 0.5,
        ("auc", "s", "b"): 0.0,
        ("accuracy", "s", "b"): 0.0,
        ("selection_rate", "s", "b"): 0.5,
    }
    assert found["auc", "s", "a"].n == 2
    assert found["dpd", "s", None].n == 4
    assert all(measure.low is None and measure.reason is None for measure in found.values())


# fairlearn's frames are slow, more so the first time.
@settings(deadline=None, max_examples=25)
@given(EXAMPLES)
def test_measures_against_fairlearn_scikit_learn_and_the_formulas(examples):
    y, p, group = columns(examples)
    column = pd.Series(pd.Categorical(group))
    found = by_name(measure_fairness(y, p, sensitive_features={"s": column}))
    predicted = predict(p)
    present = sorted(set(group))
    assert found["accuracy", None, None].value == pytest.approx(accuracy_score(y, predicted))
    both = all(len(set(y[group == name])) == 2 for name in present)
    if len(present) > 1:
        expected = fairlearn.demographic_parity_difference(y, predicted, sensitive_features=group)
        assert found["dpd", "s", None].value == pytest.approx(expected)
        overall = np.mean(y == predicted)
        gaps = [abs(np.mean(y[group == name] == predicted[group == name]) - overall) for name in present]
        assert found["es_accuracy", "s", None].value == pytest.approx(overall / (1 + sum(gaps)))
    if len(present) > 1 and both:
        expected = fairlearn.equalized_odds_difference(y, predicted, sensitive_features=group)
        assert found["deodds", "s", None].value == pytest.approx(expected)
        overall = sklearn_auc(y, p)
        of_groups = [sklearn_auc(y[group == name], p[group == name]) for name in present]
        gaps = sum(abs(value - overall) for value in of_groups)
        assert found["es_auc", "s", None].value == pytest.approx(overall / (1 + gaps))
        if overall > 0:
            spread = np.std(of_groups) / overall, (max(of_groups) - min(of_groups)) / overall
            assert found["disparity_std", "s", None].value == pytest.approx(spread[0])
            assert found["disparity_range", "s", None].value == pytest.approx(spread[1])
    else:
        assert found["deodds", "s", None].reason is not None


def test_definitions_hold_for_each_resample_and_are_undefined_with_an_undefined_rate():
    rates_of_groups = np.array([[0.2, 0.5, np.nan], [0.6, 0.1, 0.3], [0.3, 0.4, 0.2]])
    dpd = demographic_parity_difference(rates_of_groups)
    assert dpd == pytest.approx([0.4, 0.4, np.nan], nan_ok=True)
    deodds = equalized_odds_difference(rates_of_groups, np.array([[0.0, 0, 0], [0.1, 0.9, 0], [0, 0, 0]]))
    assert deodds == pytest.approx([0.4, 0.9, np.nan], nan_ok=True)
    scaled = equity_scaled(np.array([0.8, 0.5]), np.array([[0.9, 0.5], [0.6, 0.5]]))
    assert scaled == pytest.approx([0.8 / 1.3, 0.5])


@pytest.mark.parametrize("p", [0.2, 0.8])
def test_a_constant_prediction_looks_fair(p):
    y, _, group = made()
    found = by_name(measure_fairness(y, np.full(len(y), p), sensitive_features={"s": group}))
    assert found["dpd", "s", None].value == found["deodds", "s", None].value == 0
    assert found["auc", None, None].value == 0.5
    assert found["selection_rate", None, None].value == float(p > 0.5)
    assert found["accuracy", None, None].value == pytest.approx(np.mean(y == (p > 0.5)))


def test_metrics_do_not_depend_on_the_order_of_examples():
    y, p, group = made()
    order = np.random.default_rng(1).permutation(len(y))
    again = measure_fairness(y[order], p[order], sensitive_features={"s": group.iloc[order]})
    before = measure_fairness(y, p, sensitive_features={"s": group})
    assert [m.value for m in again] == pytest.approx([m.value for m in before])


def test_a_group_of_one_label_has_no_auc_with_a_reason():
    y, p, group = made()
    y = np.where(group == "b", 1, y)
    found = by_name(measure_fairness(y, p, sensitive_features={"s": group}))
    assert found["auc", "s", "b"].value is None
    for name in (
        ("auc", "s", "b"),
        ("es_auc", "s", None),
        ("deodds", "s", None),
        ("disparity_std", "s", None),
    ):
        assert found[name].reason == "s b: all labels are 1"
    assert found["dpd", "s", None].value is not None
    assert found["auc", None, None].value is not None


def test_all_labels_equal():
    _, p, group = made()
    found = by_name(measure_fairness(np.zeros(len(p), int), p, sensitive_features={"s": group}))
    assert found["auc", None, None].reason == "the examples: all labels are 0"
    assert found["accuracy", None, None].value is not None
    assert found["es_auc", "s", None].reason == "the examples: all labels are 0"


def test_an_empty_group_is_not_dropped():
    y, p, group = made()
    column = group.cat.add_categories("d")
    found = by_name(measure_fairness(y, p, sensitive_features={"s": column}))
    assert found["accuracy", "s", "d"] == ("accuracy", "s", "d", None, 0, None, None, "s d: no example")
    for metric in COMPARISONS:
        assert found[metric, "s", None].reason == "s d: no example"


def test_one_group_is_nothing_to_compare():
    y, p, _ = made()
    column = pd.Series(pd.Categorical(["a"] * len(y)))
    found = by_name(measure_fairness(y, p, sensitive_features={"s": column}))
    for metric in COMPARISONS:
        assert found[metric, "s", None].reason == "s has one group: nothing to compare"
    assert found["auc", "s", "a"].value == found["auc", None, None].value


def test_people_of_unknown_group_are_left_out_of_their_attribute_alone():
    y, p, group = made()
    unknown = group.where(np.arange(len(y)) >= 50)
    found = by_name(measure_fairness(y, p, sensitive_features={"s": unknown, "t": group}))
    without = by_name(measure_fairness(y[50:], p[50:], sensitive_features={"s": group[50:]}))
    assert found["es_auc", "s", None] == without["es_auc", "s", None]
    assert found["auc", None, None].n == found["dpd", "t", None].n == len(y)


def test_an_auc_of_zero_has_no_disparity():
    y = np.array([1, 0, 1, 0])
    p = np.array([0.1, 0.9, 0.1, 0.9])
    found = by_name(
        measure_fairness(y, p, sensitive_features={"s": pd.Series(list("aabb"), dtype="category")})
    )
    assert found["disparity_std", "s", None].reason == "the AUC is 0, which it is divided by"


def test_the_interval_of_one_resample_is_the_value_of_its_repeated_examples():
    y, p, group = made()
    [counts] = draw_counts(len(y), np.random.default_rng(0), replicates=1)
    drawn = np.repeat(np.arange(len(y)), counts[0])
    expected = by_name(measure_fairness(y[drawn], p[drawn], sensitive_features={"s": group.iloc[drawn]}))
    found = measure_fairness(
        y, p, sensitive_features={"s": group}, rng=np.random.default_rng(0), replicates=1
    )
    for name, measure in by_name(found).items():
        assert measure.low == measure.high == pytest.approx(expected[name].value)


def test_an_interval_covers_the_standard_error_of_a_rate():
    y, p, group = made(n=1000)
    found = measure_fairness(
        y, p, sensitive_features={"s": group}, rng=np.random.default_rng(0), replicates=2000
    )
    rate = by_name(found)["selection_rate", None, None]
    error = np.sqrt(rate.value * (1 - rate.value) / len(y))
    assert (rate.high - rate.low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_labels_and_probabilities_are_checked():
    _, _, group = made(n=3)
    for y, p in (([0, 1, 2], [0.1, 0.2, 0.3]), ([0, 1, 1], [0.1, np.nan, 0.3])):
        with pytest.raises(ValueError, match="labels must be 0 or 1"):
            measure_fairness(np.array(y), np.array(p), sensitive_features={"s": group})
