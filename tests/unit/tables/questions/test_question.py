"""A miniature of a question: each verdict, a world without headroom, missing runs, page and figure."""

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.metrics.statistics import sign_flip_test
from clipfair.tables.questions import claims_figure, question
from tests.unit.tables.drawing import svg_of
from tests.unit.tables.questions.synthetic_units import (
    claim,
    contrast,
    grid,
    noise,
    read_units,
    run_value,
)

UNITS = 8
PLAIN = run_value(method="clip-ft-all")
WITH = run_value(method="with")
GRIDS = {
    "gap": grid("world-gap", ["clip-ft-all", "with", "same", "noisy", "worse"]),
    "plain": grid("world-plain", ["clip-ft-all", "with"]),
}
PLANNED = {
    "question": "Is it about groups?",
    "hypothesis": "The loss lowers the gap.",
    "worlds": ["gap", "plain"],
    "grid": "",
    "units": UNITS,
    "families": {
        "primary": [
            claim("Q2.1", "gap", "matched-dpd", "lower", 3.0),
            claim("Q2.2", "gap", "auc", "higher", 1.0),
            claim("Q2.3", "gap", "matched-dpd", "lower", 3.0),
            claim("Q2.4", "gap", "matched-dpd", "lower", 3.0),
            claim("Q2.5", "gap", "matched-dpd", "lower", 3.0),
            claim("Q2.6", "plain", "matched-dpd", "lower", 3.0),
        ]
    },
    "refuted": "",
    "secondary": "",
}
SETTINGS = {
    "table": "questions/q2",
    "study": "questions",
    "grids": GRIDS,
    "evaluations": {f"{name}-metrics": {"kind": "threshold_free"} for name in ("world-gap", "world-plain")},
    "rows": {name: {"name": name.upper()} for name in ("clip-ft-all", "with", "same", "noisy", "worse")},
    "baselines": {},
    "question": "Q2",
    "worlds": {"gap": "world-gap", "plain": "world-plain"},
    "plain": PLAIN,
    "attributes": ["race"],
    "contrasts": {
        "Q2.1": contrast([WITH], [PLAIN]),
        "Q2.2": contrast([WITH], [PLAIN]),
        "Q2.3": contrast([run_value(method="same")], [PLAIN]),
        "Q2.4": contrast([run_value(method="noisy")], [PLAIN]),
        "Q2.5": contrast([run_value(method="worse")], [PLAIN]),
        "Q2.6": contrast([WITH], [PLAIN]),
    },
    "published_gains": {},
    "missing_units": [],
    "trial_units": None,
    "planned": PLANNED,
    "rules": {"level": 0.05, "power": 0.8, "largest_cost": 2.0, "levelling_down": 2.0},
    "metrics": {
        "matched-dpd": {"name": "matched DPD", "unit": "points", "text": ""},
        "auc": {"name": "AUC", "unit": "points", "text": ""},
    },
    "checks": {
        "gap": {"metric": "matched-dpd", "at_least": 10.0, "at_most_above_floor": None},
        "plain": {"metric": "matched-dpd", "at_least": 50.0, "at_most_above_floor": None},
    },
    "margins": {},
    "draws": {"gap": None, "plain": None},
}
EFFECTS = {"clip-ft-all": 0.0, "with": -0.1, "same": 0.0, "noisy": 0.0, "worse": 0.1}


def value(run, kind, metric):
    """A gap of 20 points, changed by the method; `with` raises AUC and harms the worst group."""
    if metric == "matched_dpd":
        wide = 0.1 * (-1) ** run.seed if run.method == "noisy" else 0
        return 0.2 + EFFECTS[run.method] + wide + noise(run, metric, 0.005)
    if metric == "auc":
        return 0.8 + 0.03 * (run.method == "with") + noise(run, metric, 0.001)
    if metric == "worst_auc":
        return 0.7 - 0.05 * (run.method == "with") + noise(run, metric, 0.001)
    return 0.1 + noise(run, metric, 0.01)


def build(folder, settings=SETTINGS, without=()):
    table, compared, page = question.build(
        read_units(folder, settings, value, without=without), None, settings
    )
    assert compared is None
    return table, page


def part(table, name):
    return table[table["part"] == name].dropna(axis=1, how="all")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("units"))


def test_each_claim_has_the_verdict_of_its_difference(built):
    claims = part(built[0], "claims").set_index("claim")
    assert claims["verdict"].to_dict() == {
        "Q2.1": "holds",
        "Q2.2": "holds",
        "Q2.3": "equivalent within the margin",
        "Q2.4": claims.loc["Q2.4", "verdict"],
        "Q2.5": "does not hold",
        "Q2.6": "undecided (no headroom)",
    }
    assert claims.loc["Q2.4", "verdict"].startswith("undecided (would need")
    assert claims.loc["Q2.1", "mean"] == pytest.approx(-10, abs=1)
    assert claims.loc["Q2.1", ["first_half", "second_half"]].mean() == pytest.approx(
        claims.loc["Q2.1", "mean"]
    )
    assert claims.loc["Q2.1", "of_mean"] - claims.loc["Q2.1", "less_mean"] == pytest.approx(
        claims.loc["Q2.1", "mean"]
    )


def test_the_correction_leaves_out_a_world_without_headroom(built):
    table = built[0]
    claims = part(table, "claims").set_index("claim")
    units = part(table, "units")
    differences = units.loc[units["claim"] == "Q2.1", "mean"]
    assert len(differences) == UNITS
    # The smallest of five p-values; that of Q2.6, which is not judged, does not count.
    assert claims.loc["Q2.1", "p_difference"] == pytest.approx(5 * sign_flip_test(differences).p_value)
    assert np.isnan(claims.loc["Q2.6", "p_difference"])


def test_a_gap_that_closes_at_the_cost_of_the_worst_group_is_levelling_down(built):
    table, page = built
    claims = part(table, "claims").set_index("claim")
    assert claims["levelling_down"].to_dict() == {**dict.fromkeys(claims.index, False), "Q2.1": True}
    assert claims.loc["Q2.1", "worst_auc"] == pytest.approx(-5, abs=0.2)
    assert "Q2.1 is closed by levelling down" in page


def test_the_worlds_are_checked_by_plain_fine_tuning(built):
    worlds = part(built[0], "worlds").set_index("world")
    assert worlds["passes"].to_dict() == {"gap": True, "plain": False}
    assert worlds.loc["gap", "mean"] == pytest.approx(20, abs=1)


def test_secondary_values_have_the_difference_to_the_baseline(built):
    values = part(built[0], "values")
    [row] = values[
        (values["world"] == "gap") & (values["method"] == "with") & (values["measure"] == "matched_dpd")
    ].itertuples()
    assert (row.baseline, row.n) == ("clip-ft-all", UNITS)
    assert row.difference == pytest.approx(-10, abs=1)
    assert row.difference_low < row.difference < row.difference_high


def test_a_missing_unit_is_left_out_of_the_claims_that_need_it_and_counted(tmp_path):
    """Unit 3 of `with` ended twice without a finite loss: its seed is not in the grid any more."""
    grids = {
        **GRIDS,
        "gap": {**GRIDS["gap"], "methods": ["clip-ft-all", "same", "noisy", "worse"]},
        "with": grid("world-gap", ["with"], seeds=[0, 1, 2, 4, 5, 6, 7]),
    }
    table, page = build(tmp_path, {**SETTINGS, "grids": grids, "missing_units": [3]})
    claims = part(table, "claims").set_index("claim")
    assert claims[["n", "missing"]].loc["Q2.1"].tolist() == [7, 1]
    assert claims[["n", "missing"]].loc["Q2.3"].tolist() == [8, 0]
    assert "7 (1 missing)" in page


def test_a_run_that_is_not_there_is_an_error_with_the_command(tmp_path):
    lost = Run("world-gap", "none", "tiny", "with", "none", "0", 5)
    with pytest.raises(UserError, match=r"no evaluation of dataset~world-gap.*seed~5"):
        build(tmp_path, without=[lost])


def test_nothing_is_judged_in_a_trial_run(tmp_path):
    table, page = build(tmp_path, {**SETTINGS, "trial_units": 2})
    claims = part(table, "claims")
    assert set(claims["verdict"]) == {"not judged (2 of 8 units)"}
    assert "p_difference" not in claims
    assert "**Not answered: 2 of 8 units, a trial run.**" in page


def test_the_figure_shows_units_margin_verdicts_and_the_direction(built, tmp_path):
    text = svg_of(tmp_path, built[0], claims_figure.draw)
    for label in ("one unit", "margin: 3", "better: left", "better: right", "holds"):
        assert label in text
