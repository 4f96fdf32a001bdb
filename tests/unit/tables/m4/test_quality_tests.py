"""The tests of sections 4.3 and 4.4 of CLIP the Bias on synthetic records with known effects."""

import pytest

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import mean_interval
from clipfair.plan.loading import load_study
from clipfair.plan.table_jobs import table_job
from clipfair.tables.m4 import quality_tests
from tests.unit.tables.m4.synthetic_records import SWEEP, grid, make_records, settings_of

CLAIMS = [
    {"section": "4.3", "quantity": "gender", "shown": {"faces": "FairFace", "scenes": "MIAP"}}
    | {"metrics": ["gender_log_loss"], "groups": ["man", "woman"], "smallest_p": 0.05},
    {"section": "4.4", "quantity": "classification", "shown": {"zero": "Pets", "few": "Pets"}}
    | {"metrics": ["accuracy", "accuracy_10shot"], "largest_p": 1e-5, "direction": "higher"},
    {"section": "4.4", "quantity": "left out", "shown": {"gone": "COCO"}, "metrics": ["x"]}
    | {"largest_p": 1, "direction": "lower"},
]


def test_each_claim_is_tested_on_matched_pairs(sweep):
    given = settings_of("tests", SWEEP, claims=CLAIMS)
    table, _, page = quality_tests.build(sweep, None, given)
    assert table.groupby("quantity", sort=False)["pairs"].max().to_dict() == {
        "gender": 2 * 2 * 3 * 3,
        "classification": 2 * 3 * 3,
    }
    cell = table.set_index(["quantity", "condition", "against"]).loc[
        ("classification", "proxies", "baseline")
    ]
    own = sweep[sweep["metric"].isin(CLAIMS[1]["metrics"]) & sweep["label"].isna()]
    own = own.groupby("balance")["value"].mean()
    assert cell["mean_difference"] == pytest.approx(own["proxies"] - own["baseline"])
    assert cell["paper"] == "higher, p < 1e-05"
    assert set(zip(table["condition"], table["against"], strict=True)) == {
        ("balanced", "baseline"),
        ("proxies", "baseline"),
    }
    assert set(table["agrees"]) == {"not comparable: synthetic data"}
    assert "- **gender**: log-loss." in page


def test_agreement_with_the_paper_is_stated_for_comparable_data_only(sweep):
    given = settings_of("tests", SWEEP, claims=CLAIMS, incomparable="")
    table, _, _ = quality_tests.build(sweep, None, given)
    for entry in table.itertuples():
        agrees = entry.p_value > 0.05 if entry.section == "4.3" else entry.p_value < 1e-5
        assert entry.agrees == ("yes" if agrees else "no")


@pytest.mark.parametrize(
    ("change", "direction", "agrees"),
    [(0.5, "higher", "yes"), (-0.5, "higher", "no"), (-0.5, "lower", "yes"), (0.5, "lower", "no")],
)
def test_a_significant_difference_agrees_in_the_direction_of_the_paper_only(sweep, change, direction, agrees):
    records = sweep.copy()
    records.loc[records["balance"] != "baseline", "value"] += change
    claims = [{**CLAIMS[1], "direction": direction}]
    table, _, _ = quality_tests.build(
        records, None, settings_of("tests", SWEEP, claims=claims, incomparable="")
    )
    assert (table["p_value"] < 1e-5).all()
    assert set(table["agrees"]) == {agrees}


def test_claims_on_nothing_are_refused(sweep):
    with pytest.raises(UserError, match="no evaluation of its claims is in its grids"):
        quality_tests.build(sweep, None, settings_of("tests", SWEEP, claims=CLAIMS[2:]))


def test_the_claims_of_the_configuration_are_those_of_the_paper(sweep):
    """Section 4.3: no significant difference; 4.4: balancing improves classification and hurts retrieval."""
    claims = table_job(load_study("paper"), "m4/quality-tests").settings["claims"]
    # The metrics of these records instead of the claims' own.
    shown = {"shown": {"zero": "Pets"}, "metrics": ["accuracy"]}
    claims = [{k: v for k, v in claim.items() if k != "groups"} | shown for claim in claims]
    table, _, _ = quality_tests.build(sweep, None, settings_of("tests", SWEEP, claims=claims))
    assert dict(zip(table["quantity"], table["paper"], strict=True)) == {
        "recognising perceived gender": "p > 0.05",
        "zero-shot classification": "higher, p < 1e-05",
        "10-shot classification": "higher, p < 1e-05",
        "retrieval": "lower, p < 1e-05",
    }


def test_our_test_has_seeds_as_units(sweep):
    given = settings_of("tests", SWEEP, claims=CLAIMS)
    table, _, page = quality_tests.build(sweep, None, given)
    cell = table.set_index(["quantity", "condition"]).loc[("classification", "proxies")]
    own = sweep[sweep["metric"].isin(CLAIMS[1]["metrics"]) & sweep["label"].isna()]
    own = own.groupby(["balance", "seed"])["value"].mean()
    differences = 100 * (own["proxies"] - own["baseline"])
    assert (cell["mean"], cell["low"], cell["high"]) == pytest.approx(mean_interval(differences)[:3])
    assert (cell["n"], cell["margin"], cell["expected"]) == (3, 0.5, "higher")
    # The paper's test has 18 pairs of three seeds; ours cannot have a p-value below 0.25.
    assert cell["p_value"] < 0.01 < 0.25 <= cell["p_difference"]
    assert "count as independent" in page


def test_enough_seeds_decide_our_claims():
    grids = {"sweep": grid(["baseline", "balanced", "proxies"], ["s-384", "b-768"], seeds=range(10))}
    records = make_records(grids, noise=0.004)
    table, _, _ = quality_tests.build(records, None, settings_of("tests", grids, claims=CLAIMS))
    assert table.groupby("quantity")["verdict"].agg(set).to_dict() == {
        "gender": {"equivalent within the margin"},
        "classification": {"holds"},
    }
