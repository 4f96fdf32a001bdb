"""The six findings on synthetic records in which they are true, false or undecidable."""

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import seed_interval, signed_rank
from clipfair.tables.m4.finding_claims import CONTRASTS
from clipfair.tables.m4.findings import build
from tests.unit.tables.m4.synthetic_records import SCHEDULES, grid, make_records, settings_of

CONDITIONS = ["baseline", "balanced", "proxies"]
GRIDS = {
    "single": grid(CONDITIONS, ["s-384", "b-768"], seeds=range(4)),
    "b16": grid(CONDITIONS, ["b16"], seeds=range(4)),
    "staged": grid(SCHEDULES, ["s-384", "b-768"], seeds=range(4)),
    "siglip": grid(["baseline", "proxies"], ["siglip"], method="siglip", seeds=range(6)),
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


def test_a_check_is_the_test_of_matched_runs(records, found):
    table, _ = found
    check = table[table["finding"] == "II"].iloc[0]
    last = records[(records["metric"] == "association_mean") & (records["examples"] == 1000)]
    own = last[last["method"] == "clip"].groupby(["balance", "model", "seed"])["value"].mean()
    differences = own["proxies"] - own["balanced"]
    assert check["estimate"] == pytest.approx(differences.mean())
    assert check["p_value"] == signed_rank(differences, alternative="greater").p_value
    assert check["n"] == len(differences) == 12
    assert check["seeds"] == 4
    seeds = differences.index.get_level_values("seed")
    assert (check["low"], check["high"]) == pytest.approx(seed_interval(differences, seeds))


def test_the_last_tenth_is_compared_with_the_longer_distribution(records, found):
    table, _ = found
    last = records[(records["metric"] == "parity_mean") & (records["examples"] == 1000)]
    own = last.groupby(["balance", "model", "seed"])["value"].mean().abs()
    expected = (own["proxies-90-baseline"] - own["baseline-90-proxies"]).mean()
    assert table[table["finding"] == "III"].iloc[1]["estimate"] == pytest.approx(expected)


def test_a_contradicted_finding_does_not_hold(records):
    swap = {"balanced": "proxies", "proxies": "balanced"}
    balance = records["balance"].where(records["method"] == "siglip", records["balance"].replace(swap))
    swapped = records.assign(balance=balance)
    table, _, page = build(swapped, None, settings(GRIDS))
    assert set(table.loc[table["finding"] == "II", "finding_verdict"]) == {"does not hold"}
    assert table[table["finding"] == "I"]["verdict"].tolist() == ["holds", "does not hold"]
    assert set(table.loc[table["finding"] == "I", "finding_verdict"]) == {"does not hold"}
    assert "## II. But proxies hurt association bias: does not hold" in page


def test_few_runs_or_none_leave_the_findings_undecided():
    grids = {"single": grid(CONDITIONS, ["s-384"], seeds=range(4))}
    table, _, page = build(make_records(grids), None, settings(grids))
    assert set(table["verdict"]) == {"undecided"}
    absent = table[table["finding"].isin(["III", "IV", "VI"])]
    assert (absent["n"] == 0).all()
    assert absent["p_value"].isna().all()
    assert "since this study has no such runs" in page


def test_an_evaluation_that_only_some_conditions_have_does_not_mix_in(records):
    without = [name for name in GRIDS["single"]["evaluations"] if name != "scenes"]
    grids = {**GRIDS, "staged": {**GRIDS["staged"], "evaluations": without}}
    kept = records[~(records["balance"].isin(SCHEDULES) & (records["evaluation"] == "scenes"))]
    raised = kept.assign(value=kept["value"].where(kept["evaluation"] != "scenes", kept["value"] + 5))
    table, _, _ = build(raised, None, settings(grids))
    estimates = table.loc[table["finding"] == "IV", "estimate"]
    assert estimates.abs().max() < 1


def test_an_undefined_value_leaves_its_run_out(records):
    damaged = records.copy()
    at = (damaged["metric"] == "parity_mean") & (damaged["seed"] == 0)
    damaged.loc[at, "value"] = np.nan
    table, _, _ = build(damaged, None, settings(GRIDS))
    assert table[table["finding"] == "I"]["n"].tolist() == [9, 9]


def test_a_missing_run_is_named(records):
    with pytest.raises(UserError, match=r"m4/findings: no evaluation of .*method~siglip.*seed~5/on~zero"):
        build(records[~((records["seed"] == 5) & (records["evaluation"] == "zero"))], None, settings(GRIDS))


def test_every_finding_has_a_check():
    assert list(dict.fromkeys(contrast.claim.finding for contrast in CONTRASTS)) == [
        "I",
        "II",
        "III",
        "IV",
        "V",
        "VI",
    ]
