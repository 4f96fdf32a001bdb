"""The six findings on synthetic records in which they are true, false or undecidable."""

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import mean_interval, sign_flip_test
from clipfair.tables.m4.findings import build
from tests.unit.tables.m4.synthetic_records import SCHEDULES, grid, make_records, settings_of

CONDITIONS = ["baseline", "balanced", "proxies"]
GRIDS = {
    "single": grid(CONDITIONS, ["s-384", "b-768"], seeds=range(10)),
    "b16": grid(CONDITIONS, ["b16"], seeds=range(10)),
    "staged": grid(SCHEDULES, ["s-384", "b-768"], seeds=range(10)),
    "siglip": grid(["baseline", "proxies"], ["siglip"], method="siglip", seeds=range(10)),
}


def settings(grids):
    entry = {"clip": ["single", "b16", "staged"]}
    entry |= {"siglip": {"grids": ["siglip"], "without": "baseline", "with": "proxies"}}
    return settings_of("findings", grids, **entry)


@pytest.fixture(scope="module")
def records():
    return make_records(GRIDS, noise=0.004)


@pytest.fixture(scope="module")
def found(records):
    table, compared, page = build(records, None, settings(GRIDS))
    assert compared is None
    return table, page


def test_the_papers_findings_hold_where_they_are_planted(found):
    table, page = found
    verdicts = table.drop_duplicates("finding").set_index("finding")["finding_verdict"].to_dict()
    # Retrieval of the synthetic SigLIP loses two points: more than the margin.
    assert verdicts == {**dict.fromkeys(["I", "II", "III", "IV", "V"], "holds"), "VI": "does not hold"}
    assert "## IV. But fine-tuning is less effective for association bias: holds" in page
    assert "synthetic data" in page


def test_a_claim_is_the_test_of_matched_runs_with_seeds_as_units(records, found):
    table, _ = found
    check = table[table["id"] == "II.1"].iloc[0]
    last = records[(records["metric"] == "association_mean") & (records["examples"] == 1000)]
    own = last[last["method"] == "clip"].groupby(["balance", "model", "seed"])["value"].mean()
    differences = (own["proxies"] - own["balanced"]).groupby("seed").mean()
    interval = mean_interval(differences)
    assert (check["mean"], check["low"], check["high"]) == pytest.approx(interval[:3])
    assert check["n"] == len(differences) == 10
    # Every claim of this table has the smallest p-value, so Holm's factor is their number.
    assert check["p_difference"] == pytest.approx(len(table) * sign_flip_test(differences).p_value)
    assert (check["expected"], check["margin"]) == ("higher", 0.01)


def test_classification_and_retrieval_are_in_points(found):
    table, _ = found
    estimates = table.set_index("id")["mean"]
    assert estimates[["V.1", "V.2", "VI.1", "VI.2"]].tolist() == pytest.approx([2, -2, 2, -2], abs=0.3)


def test_the_last_tenth_is_compared_with_the_longer_distribution(records, found):
    table, _ = found
    last = records[(records["metric"] == "parity_mean") & (records["examples"] == 1000)]
    own = last.groupby(["balance", "model", "seed"])["value"].mean().abs()
    expected = (own["proxies-90-baseline"] - own["baseline-90-proxies"]).mean()
    assert table.set_index("id").loc["III.2", "mean"] == pytest.approx(expected)


def test_a_contradicted_finding_does_not_hold(records):
    swap = {"balanced": "proxies", "proxies": "balanced"}
    balance = records["balance"].where(records["method"] == "siglip", records["balance"].replace(swap))
    swapped = records.assign(balance=balance)
    table, _, page = build(swapped, None, settings(GRIDS))
    assert set(table.loc[table["finding"] == "II", "finding_verdict"]) == {"does not hold"}
    assert table[table["finding"] == "I"]["verdict"].tolist() == ["holds", "does not hold"]
    assert set(table.loc[table["finding"] == "I", "finding_verdict"]) == {"does not hold"}
    assert "## II. But proxies hurt association bias: does not hold" in page


def test_few_seeds_or_none_leave_the_findings_undecided():
    grids = {"single": grid(CONDITIONS, ["s-384", "b-768"], seeds=range(4))}
    table, _, page = build(make_records(grids), None, settings(grids))
    directed = table[table["finding"].isin(["I", "II", "V"])]
    assert directed["verdict"].str.startswith("undecided (would need").all()
    assert set(table["finding_verdict"]) == {"undecided"}
    absent = table[table["finding"].isin(["III", "IV", "VI"])]
    assert set(absent["verdict"]) == {"undecided (no units)"}
    assert absent["p_difference"].isna().all()
    assert "since this study has no such runs" in page


def test_an_evaluation_that_only_some_conditions_have_does_not_mix_in(records):
    without = [name for name in GRIDS["single"]["evaluations"] if name != "scenes"]
    grids = {**GRIDS, "staged": {**GRIDS["staged"], "evaluations": without}}
    kept = records[~(records["balance"].isin(SCHEDULES) & (records["evaluation"] == "scenes"))]
    raised = kept.assign(value=kept["value"].where(kept["evaluation"] != "scenes", kept["value"] + 5))
    table, _, _ = build(raised, None, settings(grids))
    estimates = table.loc[table["finding"] == "IV", "mean"]
    assert estimates.abs().max() < 1


def test_an_undefined_value_leaves_its_seed_out(records):
    damaged = records.copy()
    at = (damaged["metric"] == "parity_mean") & (damaged["seed"] == 0)
    damaged.loc[at, "value"] = np.nan
    table, _, _ = build(damaged, None, settings(GRIDS))
    assert table[table["finding"] == "I"]["n"].tolist() == [9, 9]


def test_a_missing_run_is_named(records):
    gone = (records["seed"] == 5) & (records["evaluation"] == "zero") & (records["method"] == "siglip")
    with pytest.raises(UserError, match=r"m4/findings: no evaluation of .*method~siglip.*seed~5/on~zero"):
        build(records[~gone], None, settings(GRIDS))


@pytest.mark.parametrize(
    ("balance", "verdict", "finding"),
    [("neutralise", "equivalent within the margin", "holds"), ("drop-human", "holds", "does not hold")],
)
def test_balancing_that_costs_nothing_is_what_finding_vi_claims(balance, verdict, finding):
    """Equivalent classification and retrieval, or a gain in the one and a loss in the other."""
    grids = {"siglip": grid(["baseline", balance], ["siglip"], method="siglip", seeds=range(10))}
    entry = {"clip": [], "siglip": {"grids": ["siglip"], "without": "baseline", "with": balance}}
    given = settings_of("findings", grids, **entry)
    table, _, _ = build(make_records(grids, noise=0.002), None, given)
    found = table.set_index("id")
    assert found.loc["VI.1", "verdict"] == verdict
    assert found.loc["VI.1", "finding_verdict"] == finding


def test_a_finding_with_an_equivalent_claim_does_not_hold():
    """Proxies change representation bias by less than the margin, where the finding claims a reduction."""
    grids = {"single": grid(CONDITIONS, ["s-384", "b-768"], seeds=range(10))}
    records = make_records(grids, noise=0.004)
    flat = records["value"].where(records["metric"] != "parity_mean", 0.4 + records["value"] / 1000)
    table, _, _ = build(records.assign(value=flat), None, settings(grids))
    assert table.set_index("id").loc["I.1", "verdict"] == "equivalent within the margin"
    assert set(table[table["finding"] == "I"]["finding_verdict"]) == {"does not hold"}
