"""Differences without verdicts: from baselines, and of pairs of methods at the same settings."""

import numpy as np
import pytest

from clipfair.tables.questions.differences import build
from tests.unit.tables.questions.synthetic_units import grid, make_records, noise, run_value

UNITS = list(range(5))
SETTINGS = {
    "grids": {
        "plain": grid("world", ["plain"], seeds=UNITS),
        "loss": grid("world", ["loss", "placebo"], attrs=["race"], lams=["1", "3"], seeds=UNITS),
    },
    "evaluations": {"world-metrics": {"kind": "threshold_free"}},
    "worlds": {"w": "world"},
    "attributes": ["race"],
    "plain": run_value(method="plain"),
    "baselines": {"loss": "plain", "placebo": "plain"},
    "rows": {name: {"name": name.upper()} for name in ("plain", "loss", "placebo")},
    "title": "Differences",
    "pairs": {"loss": "placebo"},
}
EFFECTS = {"plain": 0.0, "loss": -0.1, "placebo": -0.04}


def value(run, kind, metric):
    return 0.5 + EFFECTS[run.method] * float(run.lam or 0) + noise(run, metric, 0.001)


@pytest.fixture(scope="module")
def built():
    return build(make_records(SETTINGS, value), None, SETTINGS)


def test_a_pair_is_compared_at_each_setting_within_units(built):
    table, _, _ = built
    values = table[(table["part"] == "pairs") & (table["measure"] == "matched_dpd")].set_index("lam")
    assert list(values.index) == ["1", "3"]
    assert values.loc["1", "mean"] == pytest.approx(-6, abs=0.3)
    assert values.loc["3", "mean"] == pytest.approx(-18, abs=0.3)
    assert (values["n"] == len(UNITS)).all()
    assert (values["low"] < values["mean"]).all()
    assert (values["mean"] < values["high"]).all()


def test_the_difference_from_the_baseline_stays(built):
    table, _, _ = built
    values = table[(table["part"] == "values") & (table["measure"] == "matched_dpd")]
    found = values.set_index(["method", "lam"])["difference"]
    assert found["loss", "3"] - found["placebo", "3"] == pytest.approx(-18, abs=0.3)
    assert np.isnan(found["plain", "0"])


def test_without_pairs_there_is_no_section(built):
    _, _, page = built
    assert "## Pairs in w" in page
    table, _, page = build(make_records(SETTINGS, value), None, SETTINGS | {"pairs": {}})
    assert "## Pairs" not in page
    assert set(table["part"]) == {"values"}
