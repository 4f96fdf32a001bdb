"""The three rules of Table 5, each on numbers whose answer is computed by hand."""

import numpy as np
import pandas as pd
import pytest

from clipfair.tables.m4.mitigation_verdicts import (
    compare_with_published,
    count_verdicts,
    differences_to_baseline,
    published_differences,
)

TASKS = {"tasks": {"adult": {"published": "adult"}}, "incomparable": ""}
ROWS = {"baseline": "Baseline", "m4": "M4", "r2b": "R2B", "m4-0.9": None}
ROUNDING = 0.1**2 / 12


def repeats(values):
    """One metric of several methods: row -> values by seed."""
    return pd.DataFrame(
        [
            {"task": "adult", "row": row, "metric": "Error", "seed": seed, "value": value}
            for row, found in values.items()
            for seed, value in enumerate(found)
        ]
    )


def published(values):
    """Row -> (mean, printed deviation)."""
    return pd.DataFrame(
        [
            {
                "published_dataset": "adult",
                "published_row": row,
                "metric": "Error",
                "published_mean": mean,
                "published_std": std,
                "published_source": "Table 5",
            }
            for row, (mean, std) in values.items()
        ]
    )


# The split moves every method by the same amount; each method has a small deviation of its own.
SPLIT = np.array([-2.0, -1.0, 1.0, 2.0])
OWN = np.array([0.01, -0.01, -0.01, 0.01])
OURS = repeats(
    {
        "baseline": 14.5 + SPLIT,
        "m4": 15.5 + SPLIT + OWN,
        "r2b": 17.5 + SPLIT + OWN,
        "m4-0.9": 14.0 + SPLIT,
    }
)
PUBLISHED = published({"Baseline": (15.5, 0.1), "M4": (15.6, 0.2), "R2B": (18.5, 0.0)})


@pytest.fixture
def cells():
    return compare_with_published(OURS, PUBLISHED, ROWS, TASKS).set_index("row")


def test_the_uncertainty_of_a_mean_is_that_over_the_square_root_of_the_repeats(cells):
    std = np.sqrt(10 / 3)
    expected = np.sqrt(std**2 / 4 + 0.1**2 + ROUNDING)
    assert cells["combined_std"]["baseline"] == pytest.approx(expected)
    assert cells["deviations"]["baseline"] == pytest.approx(-1 / expected)


def test_the_variation_of_the_split_cancels_in_the_paired_rule(cells):
    m4 = cells.loc["m4"]
    assert m4["paired_mean"] == pytest.approx(1.0)
    assert m4["paired_std"] == pytest.approx(np.sqrt(4 * 0.01**2 / 3))
    assert m4["paired_published_mean"] == pytest.approx(0.1)
    expected = np.sqrt(0.01**2 / 3 + 0.1**2 + 0.2**2 + 2 * ROUNDING)
    assert m4["paired_combined_std"] == pytest.approx(expected)
    assert (m4["verdict"], m4["paired_verdict"]) == ("reproduced", "differs")
    assert cells["paired_verdict"]["r2b"] == "reproduced"


def test_a_method_without_published_difference_has_no_paired_verdict(cells):
    for row in ("baseline", "m4-0.9"):
        assert cells["paired_verdict"][row] == "not comparable: no published difference to the baseline"
    assert np.isnan(cells["matches_of_others"]["m4-0.9"])


def test_matches_of_others_are_counted_by_brute_force(cells):
    values = {"Baseline": (15.5, 0.1), "M4": (15.6, 0.2), "R2B": (18.5, 0.0)}
    for row, own in (("baseline", "Baseline"), ("m4", "M4"), ("r2b", "R2B")):
        mean, variance = cells["mean"][row], cells["std"][row] ** 2 / 4
        expected = sum(
            abs(mean - other) <= 2 * np.sqrt(variance + std**2 + ROUNDING)
            for name, (other, std) in values.items()
            if name != own
        )
        assert cells["matches_of_others"][row] == expected
        assert cells["others"][row] == 2
    assert cells["paired_matches_of_others"][["m4", "r2b"]].tolist() == [0, 0]
    assert cells["paired_others"]["m4"] == 1


def test_the_counts_are_of_judged_cells_only(cells):
    compared = cells.reset_index()
    assert count_verdicts(compared, "")[1::2] == (3, 6)
    assert count_verdicts(compared, "paired_")[1::2] == (2, 2)
    assert count_verdicts(compared, "one_split_")[:2] == (3, 3)


def test_the_rule_of_one_split_is_wider_than_that_of_the_mean():
    ours = repeats({"baseline": 14.5 + SPLIT, "m4": 15 + SPLIT})
    found = compare_with_published(ours, published({"Baseline": (17.0, 0.0), "M4": (15.0, 0.0)}), ROWS, TASKS)
    assert found["verdict"][0] == "differs"
    assert found["one_split_verdict"][0] == "reproduced"


def test_differences_are_taken_within_a_seed():
    shuffled = OURS.sample(frac=1, random_state=0)
    found = differences_to_baseline(shuffled, "baseline")
    m4 = found[found["row"] == "m4"].set_index("seed")["value"].sort_index()
    np.testing.assert_allclose(m4, 1 + OWN)
    assert "baseline" not in set(found["row"])


def test_published_differences_add_both_errors():
    found = published_differences(PUBLISHED).set_index("published_row")
    assert found["published_mean"]["R2B"] == pytest.approx(3.0)
    assert found["published_std"]["M4"] == pytest.approx(np.hypot(0.1, 0.2))
    assert list(found.index) == ["M4", "R2B"]


def test_without_a_baseline_nothing_is_paired():
    found = compare_with_published(OURS[OURS["row"] == "m4"], PUBLISHED, {"m4": "M4"}, TASKS)
    assert list(found["paired_verdict"]) == ["not comparable: no published difference to the baseline"]
    assert list(found["verdict"]) == ["reproduced"]


def test_no_rule_judges_data_that_are_not_comparable():
    settings = {**TASKS, "incomparable": "partial data"}
    found = compare_with_published(OURS, PUBLISHED, ROWS, settings)
    for prefix in ("", "paired_", "one_split_"):
        assert set(found[f"{prefix}verdict"]) == {"not comparable: partial data"}
        assert count_verdicts(found, prefix) == (0, 0, 0, 0)
