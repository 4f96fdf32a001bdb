"""Adult and credit default depend on their four cells of (sex, label) alone; their public counts."""

import numpy as np
import pytest

from clipfair.m4 import M4Settings, Problem, bias, max_rate, solve

ADULT = [9918, 22732, 1769, 14423]
CREDIT = [2873, 11888 - 2873, 3763, 18112 - 3763]


def data_target(patterns):
    return patterns.share @ patterns.sensitive


def closed_form_rate(counts, target):
    """eta_max for one group, one label, Q = 1, eps = 0.

    Both rates of y must be equal, so that E[q 1(s, y)] = pi_s * x_y with free x_1, x_0; each is
    limited by the scarcer of its two cells.
    """
    share = np.array(counts) / sum(counts)
    of_group = np.array([target, target, 1 - target, 1 - target])
    room = share / of_group
    return min(room[0], room[2]) + min(room[1], room[3])


@pytest.mark.parametrize(
    ("counts", "at_data", "at_half"), [(ADULT, 0.8055, 0.6630), (CREDIT, 0.9661, 0.7925)]
)
def test_largest_rate(counts, at_data, at_half, cells):
    patterns = cells(counts)
    for target, figure in ((data_target(patterns), at_data), (np.array([0.5]), at_half)):
        rate = max_rate(patterns, target)
        assert rate == pytest.approx(closed_form_rate(counts, target[0]), abs=1e-9)
        assert rate == pytest.approx(figure, abs=5e-5)
        just_below = solve(Problem(patterns, M4Settings(target, rate - 1e-4, penalty=100.0))).certificate
        just_above = solve(Problem(patterns, M4Settings(target, rate + 1e-4, penalty=100.0))).certificate
        assert just_below.violation.max() < 1e-12
        assert just_above.violation.max() > 1e-6


def parity_gap(patterns, settings):
    q = solve(Problem(patterns, settings)).weights
    return 100 * bias.association(bias.moments(patterns.sensitive, patterns.labels, patterns.count * q))[0, 0]


def test_what_remains_of_adult_at_rate_nine_tenths(cells):
    patterns = cells(ADULT)
    assert parity_gap(patterns, M4Settings(data_target(patterns), 0.9)) == pytest.approx(10.5, abs=0.05)
    assert parity_gap(patterns, M4Settings(np.array([0.5]), 0.9)) == pytest.approx(7.2, abs=0.05)


@pytest.mark.parametrize("counts", [ADULT, CREDIT])
@pytest.mark.parametrize(("rate", "penalty"), [(0.8, 10.0), (0.5, 1.0)])
def test_nothing_remains_below_the_largest_rate(counts, rate, penalty, cells):
    patterns = cells(counts)
    settings = M4Settings(data_target(patterns), rate, penalty=penalty)
    assert parity_gap(patterns, settings) == pytest.approx(0, abs=1e-9)


def test_a_small_penalty_leaves_bias_although_the_constraints_can_be_met(cells):
    patterns = cells(ADULT)
    reweigh = M4Settings(data_target(patterns), 1.0, max_weight=100.0, penalty=1.0)
    assert parity_gap(patterns, reweigh) == pytest.approx(5.9, abs=0.05)
    half = M4Settings(np.array([0.5]), 1.0, max_weight=100.0, penalty=1.0)
    assert parity_gap(patterns, half) == pytest.approx(2.1, abs=0.05)
