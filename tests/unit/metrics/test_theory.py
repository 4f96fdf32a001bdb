"""The propositions of docs/theory.md, by number: random distributions, equality cases, counterexamples."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import rankdata, rv_histogram, wasserstein_distance

from clipfair.evaluate.kinds.threshold_free import evaluate
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.metrics.distance_measures import measure_group_distances, sum_of_distances
from clipfair.metrics.distances.wasserstein import distance
from clipfair.metrics.prediction import weighted_auc
from clipfair.metrics.roc_area import abroca
from clipfair.metrics.threshold_free import compare
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.plan.analysis_plan_page import PAGE

SEEDS = range(20)
GRID = np.linspace(0, 1, 20_001)


def random_groups(rng, count):
    """Margins of groups of different sizes, places and spreads."""
    sizes = rng.integers(5, 60, count)
    codes = np.repeat(np.arange(count), sizes)
    margin = rng.normal(rng.normal(size=count)[codes], rng.uniform(0.2, 2, count)[codes])
    return margin, codes


def integrated_dpd(margin, codes):
    """The integral of DPD over all thresholds: between two margins it is constant."""
    points = np.sort(margin)
    groups = [np.sort(margin[codes == code]) for code in range(codes.max() + 1)]
    shares = [np.searchsorted(group, points[:-1], side="right") / len(group) for group in groups]
    return np.sum(np.ptp(shares, axis=0) * np.diff(points))


def random_density(rng):
    """A histogram on [0, 1] with densities of at most 4, as values of its distribution function on GRID."""
    heights = rng.dirichlet(np.full(8, 0.5))
    while heights.max() > 0.5:
        heights = rng.dirichlet(np.full(8, 0.5))
    return rv_histogram((heights, np.linspace(0, 1, 9)), density=False).cdf(GRID)


def w1(one, other):
    return np.trapezoid(np.abs(one - other), GRID)


def auc_of(negatives, positives):
    """P(positive > negative), from distribution functions on GRID."""
    return np.trapezoid((1 - positives) * np.gradient(negatives, GRID), GRID)


@pytest.mark.parametrize("seed", SEEDS)
def test_1_the_distance_of_margins_bounds_the_integral_of_dpd_from_both_sides(seed):
    rng = np.random.default_rng(seed)
    margin, codes = random_groups(rng, count := rng.integers(3, 7))
    total = sum_of_distances(margin, codes, p=1)
    assert total / count <= integrated_dpd(margin, codes) <= total
    margin, codes = random_groups(rng, 2)
    total = sum_of_distances(margin, codes, p=1)
    assert integrated_dpd(margin, codes) == pytest.approx(total)
    assert wasserstein_distance(margin[codes == 0], margin[codes == 1]) == pytest.approx(total)


@pytest.mark.parametrize("seed", SEEDS)
def test_2_the_mean_dpd_is_a_distance_of_ranks_and_bounded_at_random_thresholds(seed):
    rng = np.random.default_rng(seed)
    margin, codes = random_groups(rng, 2)
    y = rng.integers(0, 2, len(codes))
    ranks = rankdata(margin) / len(margin)
    found = compare(y, margin, margin, codes, threshold=0.0)["mean_dpd"][0]
    assert found == pytest.approx(wasserstein_distance(ranks[codes == 0], ranks[codes == 1]))
    low, high = np.sort(rng.uniform(margin.min(), margin.max(), 2))
    thresholds = np.linspace(low, high, 2001)
    shares = [(margin[codes == code] >= thresholds[:, None]).mean(axis=1) for code in (0, 1)]
    bound = sum_of_distances(margin, codes, p=1) / (high - low)
    assert np.mean(np.ptp(shares, axis=0)) <= bound + 1e-2 * bound


def test_3a_without_a_density_a_small_distance_allows_any_dpd():
    margin, codes = np.repeat([5e-7, -5e-7], 50), np.repeat([0, 1], 50)
    assert sum_of_distances(margin, codes, p=1) == pytest.approx(1e-6)
    assert compare(codes, margin, margin, codes, threshold=0.0)["dpd"][0] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_3b_with_densities_dpd_at_every_threshold_is_bounded(seed):
    rng = np.random.default_rng(seed)
    one, other = random_density(rng), random_density(rng)
    largest = max(np.gradient(values, GRID).max() for values in (one, other))
    assert np.abs(one - other).max() <= np.sqrt(largest * w1(one, other)) + 1e-6


def test_3_the_bounds_are_reached():
    """Uniform on [0, 1/2] and on [1/2, 1], density 2; the point 0 and uniform on [0, 1], density 1."""
    lower, upper = np.minimum(2 * GRID, 1), np.maximum(2 * GRID - 1, 0)
    assert np.abs(lower - upper).max() == pytest.approx(np.sqrt(2 * w1(lower, upper)), abs=1e-3)
    assert np.abs(1 - GRID).max() == pytest.approx(np.sqrt(2 * 1 * w1(np.ones_like(GRID), GRID)), abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_3c_one_density_is_enough_for_the_larger_bound(seed):
    rng = np.random.default_rng(seed)
    points = np.sort(rng.choice(GRID, 3))
    steps = np.mean(GRID[:, None] >= points, axis=1)
    other = random_density(rng)
    largest = np.gradient(other, GRID).max()
    assert np.abs(steps - other).max() <= np.sqrt(2 * largest * w1(steps, other)) + 1e-3


@pytest.mark.parametrize("seed", SEEDS)
def test_4_distances_within_labels_bound_deodds_and_the_auc_gap(seed):
    rng = np.random.default_rng(seed)
    a, b = ([random_density(rng) for _ in (0, 1)] for _ in "ab")
    of_labels = [w1(a[label], b[label]) for label in (0, 1)]
    deodds = np.maximum(*(np.abs(a[label] - b[label]) for label in (0, 1)))
    assert max(of_labels) <= np.trapezoid(deodds, GRID) <= sum(of_labels) + 1e-9
    largest = max(np.gradient(values, GRID).max() for values in (*a, *b))
    assert deodds.max() <= np.sqrt(largest * max(of_labels)) + 1e-6
    assert abs(auc_of(*a) - auc_of(*b)) <= largest * sum(of_labels) + 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_4_the_metric_within_labels_is_at_most_the_integral_of_deodds_and_at_least_half(seed):
    rng = np.random.default_rng(seed)
    margin, codes = random_groups(rng, 2)
    y = np.arange(len(codes)) % 2
    groups = pd.Series(codes).astype("category")
    rows = measure_group_distances(y, margin, None, sensitive_features={"group": groups})
    metric = {row.metric: row.value for row in rows}["margin_w1_within_labels"]
    points = np.sort(margin)
    parts = [[np.sort(margin[(codes == code) & (y == label)]) for code in (0, 1)] for label in (0, 1)]
    shares = [
        [np.searchsorted(part, points[:-1], side="right") / len(part) for part in of_label]
        for of_label in parts
    ]
    integral = np.sum(np.ptp(shares, axis=1).max(axis=0) * np.diff(points))
    assert metric <= integral <= 2 * metric


def test_5_margins_and_margins_within_labels_bound_different_metrics():
    y, codes = np.tile([0, 1], 100), np.repeat([0, 1], 100)
    reversed_order = np.where(codes == 0, 2 * y - 1, 1 - 2 * y).astype(float)
    found = compare(y, reversed_order, y, codes, threshold=0.0)
    assert sum_of_distances(reversed_order, codes, p=1) == 0
    assert (found["dpd"][0], found["deodds"][0], found["auc_gap"][0]) == (0, 1, 1)
    y = np.concatenate([np.arange(100) < 80, np.arange(100) < 40]).astype(int)
    perfect = 2.0 * y - 1
    groups = pd.Series(codes).astype("category")
    rows = measure_group_distances(y, perfect, None, sensitive_features={"group": groups})
    values = {row.metric: row.value for row in rows}
    found = compare(y, perfect, y, codes, threshold=0.0)
    assert values["margin_w1_within_labels"] == found["deodds"][0] == found["auc_gap"][0] == 0
    assert found["dpd"][0] == pytest.approx(0.4)
    assert values["margin_w1"] == pytest.approx(0.8)


def construct(score, margin, scale, prompts):
    """The embeddings of the proof of proposition 6."""
    direction = prompts[1] - prompts[0]
    length = np.linalg.norm(direction)
    e = direction / length
    v = np.linalg.svd(e[None])[2][1]
    k = (margin / (scale * length))[:, None]
    images = k * e + np.sqrt(1 - k**2) * v
    orthogonal = np.sqrt(1 - k**2) * e - k * v
    cosine = (score / scale)[:, None]
    return images, cosine * images + np.sqrt(1 - cosine**2) * orthogonal


def evaluated(images, notes, prompts, groups, scale):
    table = pd.DataFrame({"key": map(str, range(len(groups))), "y": np.resize([0, 1], len(groups))})
    sample = Sample(table.assign(group=pd.Categorical(groups)), images, images[:, :0])
    texts = {"prompts": prompts, "captions": notes}
    settings = {"kind": "threshold_free", "label": "y", "sensitive": ["group"], "captions": "all"}
    result = evaluate(Embedded(sample, sample, texts, scale), settings, np.random.default_rng(0))
    values = {row.metric: row.value for row in result.measures if row.group is None}
    return values, result.scores[result.scores["part"] == "test"]


@pytest.mark.parametrize("dimension", [2, 6])
def test_6_any_scores_and_margins_have_embeddings(dimension):
    rng = np.random.default_rng(dimension)
    prompts = rng.normal(size=(2, dimension))
    prompts /= np.linalg.norm(prompts, axis=1, keepdims=True)
    score = rng.uniform(-50, 50, 40)
    margin = rng.uniform(-1, 1, 40) * 50 * np.linalg.norm(prompts[1] - prompts[0])
    images, notes = construct(score, margin, 50, prompts)
    assert np.linalg.norm(images, axis=1) == pytest.approx(np.ones(40))
    _, found = evaluated(images, notes, prompts, np.resize(["a", "b"], 40), 50)
    assert found["score"].to_numpy() == pytest.approx(score, abs=1e-4)
    assert found["margin"].to_numpy() == pytest.approx(margin, abs=1e-4)


def test_6_the_own_note_distance_and_dpd_take_their_extremes_independently():
    groups, prompts = np.repeat(["a", "b"], 20), np.array([[-1.0, 0.0], [1.0, 0.0]])
    is_a = (groups == "a")[:, None]
    images = np.where(is_a, prompts[1], prompts[0])
    values, _ = evaluated(images, images, prompts, groups, 50)
    assert (values["own_w1"], values["own_w2"], values["dpd"]) == (0, 0, 1)
    images = np.tile([[0.6, 0.8]], (40, 1))
    values, _ = evaluated(images, np.where(is_a, images, -images), prompts, groups, 50)
    assert (values["dpd"], values["deodds"], values["mean_dpd"]) == (0, 0, 0)
    assert values["own_w1"] == pytest.approx(2 * 50)


@pytest.mark.parametrize("seed", SEEDS)
def test_7_parity_costs_errors_if_base_rates_differ(seed):
    rng = np.random.default_rng(seed)
    margin, codes = random_groups(rng, 2)
    y = (rng.random(len(codes)) < rng.random(2)[codes]).astype(int)
    dpd = compare(y, margin, margin, codes, threshold=0.0)["dpd"][0]
    errors = [np.mean((margin >= 0) != y, where=codes == code) for code in (0, 1)]
    rates = [np.mean(y, where=codes == code) for code in (0, 1)]
    assert sum(errors) >= abs(rates[0] - rates[1]) - dpd - 1e-12


def auc_bound(shares, rates):
    mean = shares @ rates
    return shares @ (rates - mean) ** 2 / (2 * mean * (1 - mean))


@pytest.mark.parametrize("seed", SEEDS)
def test_8_parity_costs_auc_if_base_rates_differ(seed):
    rng = np.random.default_rng(seed)
    n, count = 400, rng.integers(2, 5)
    shares, positive = rng.dirichlet(np.full(count, 3)), rng.integers(40, 361, count)
    bound = auc_bound(shares, positive / n)
    margin, weights = np.tile(np.arange(n), count), np.repeat(shares / n, n)[None]
    perfect = np.concatenate([np.arange(n) >= n - number for number in positive])
    assert 1 - weighted_auc(perfect, margin, weights)[0] == pytest.approx(bound, abs=2 / n)
    # Any other labels of the same number, near the perfect ones and far from them.
    for noise in (10, 100, 1000):
        places = [np.argsort(np.argsort(np.arange(n) + rng.normal(0, noise, n))) for _ in range(count)]
        labels = np.concatenate([p >= n - number for p, number in zip(places, positive, strict=True)])
        assert 1 - weighted_auc(labels, margin, weights)[0] >= bound - 1 / n


def test_8_the_bound_in_the_world_of_the_page_is_that_of_its_settings():
    plan = read_analysis_plan()
    shares = plan.common_settings["race"]
    rates = plan.worlds["gap-rates"].settings["glaucoma_rates"]
    bound = auc_bound(np.array(list(shares.values())), np.array([rates[f"race={group}"] for group in shares]))
    assert f"at most {1 - bound:.3f} at a distance" in PAGE.with_name("theory.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_9_the_scale_changes_distances_and_no_metric_of_decisions(scale):
    rng = np.random.default_rng(0)
    margin, codes = random_groups(rng, 3)
    y = rng.integers(0, 2, len(codes))
    threshold = np.sort(margin)[20]
    before = compare(y, margin, margin, codes, threshold=threshold)
    after = compare(y, scale * margin, margin, codes, threshold=scale * threshold)
    for name, value in before.items():
        assert after[name] == pytest.approx(value), name
    assert abroca(y, scale * margin, codes) == pytest.approx(abroca(y, margin, codes))
    for p in (1, 2):
        expected = scale**p * sum_of_distances(margin, codes, p=p)
        assert sum_of_distances(scale * margin, codes, p=p) == pytest.approx(expected)


N = 32
DRAWN = {
    "normal": (lambda rng, size: rng.normal(0, 3, size), 9),
    "exponential": (lambda rng, size: rng.exponential(1, size), 1),
    "two points": (lambda rng, size: rng.integers(0, 2, size).astype(float), 0.25),
    "uniform": (lambda rng, size: rng.random(size), 1 / 12),
}


@pytest.mark.parametrize("name", DRAWN)
def test_10_batches_of_equal_groups_have_a_floor(name):
    draw, variance = DRAWN[name]
    x, y = np.sort(draw(np.random.default_rng(0), (2, 40_000, N)), axis=2)
    squared = np.mean((x - y) ** 2, axis=1)
    assert squared.mean() == pytest.approx(2 / N * x.var(axis=0).sum(), rel=0.02)
    assert squared.mean() >= 2 * variance / N * 0.98
    [half] = distance(torch.tensor(x[0]), [torch.tensor(y[0])], p=2).tolist()
    assert half == pytest.approx(squared[0] / 2)
    if name == "uniform":
        assert squared.mean() == pytest.approx(4 * variance / (N + 1), rel=0.02)


def test_10_a_shift_of_a_quarter_of_the_deviation_has_the_value_of_the_floor():
    x = np.random.default_rng(0).normal(size=1000)
    shifted = x + x.std() / 4
    [half] = distance(torch.tensor(x), [torch.tensor(shifted)], p=2).tolist()
    assert 2 * half == pytest.approx(2 * x.var() / N)
