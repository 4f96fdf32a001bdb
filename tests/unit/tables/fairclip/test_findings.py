"""Findings of the FairCLIP reproduction: signs, pairing and verdicts."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.fairclip import (
    findings,
    switches,
)
from tests.unit.tables.fairclip.synthetic_records import (
    GRIDS,
    METHODS,
    ROWS,
    grid,
    planted,
    read_runs,
    settings,
    write_epochs,
)

ROLES = {
    "zero_shot": "clip",
    "fine_tuned": "clip-ft",
    "released": "fairclip-released",
    "corrected": "fairclip-corrected",
    "aligned": "a-fairclip",
    "several": "fairclip-plus",
    "mmd_gaussian": "mmd-gaussian-released",
    "selection": {"fairclip-released": "fairclip-corrected"},
}


def check_planted(folder, change, roles, grids=GRIDS, **other):
    """The checks of evaluations with planted values."""
    chosen = settings("fairclip/findings", grids=grids, roles=roles, **other)
    table, compared, _ = findings.build(read_runs(folder, grids, planted(change)), None, chosen)
    assert compared is None
    return table


def test_all_findings_are_checked_and_complete(records, epochs):
    given = settings("fairclip/findings", roles=ROLES, epochs=epochs, incomparable="synthetic data")
    table, _, page = findings.build(records, None, given)
    assert set(table["finding"]) == {f"F{number}" for number in range(1, 10)}
    assert set(table["verdict"]) <= {"holds", "does not hold", "undecided"}
    assert table[["claim", "methods", "statistic", "value", "n", "test", "threshold"]].notna().all(axis=None)
    assert "These findings are about synthetic data, not the papers' models" in page
    assert page.count("\n| F") == len(table)


def test_a_score_that_only_shrinks_drops_raw_but_not_free_of_scale(tmp_path):
    def change(run, row):
        jitter = 1 + 0.01 * run.seed
        size = 0.1 if run.method == "fairclip-released" else 1.0
        if row["metric"].endswith("scale_free"):
            return 0.02 * jitter
        return 5 * size**2 * jitter if row["metric"].startswith("distance") else None

    roles = {"zero_shot": "clip", "fine_tuned": "clip-ft", "released": "fairclip-released"}
    table = check_planted(tmp_path, change, roles)
    drop = table[table["finding"] == "F1"]
    assert len(drop) == 10
    assert set(drop["verdict"]) == {"holds"}
    raw = drop[drop["statistic"].str.contains("exact")]
    assert raw["value"].tolist() == pytest.approx([-2] * 4)
    shrunk = table[table["finding"] == "F3"]
    assert shrunk["value"].item() == pytest.approx(-1)
    assert shrunk["verdict"].item() == "holds"


def test_gains_are_positive_when_better(tmp_path):
    def change(run, row):
        better = run.method == "a-fairclip"
        jitter = 0.001 * run.seed * (1 + better)
        planted = {"auc": 0.7 + 0.05 * better, "dpd": 0.2 - 0.1 * better, "deodds": 0.2 + 0.1 * better}
        return planted[row["metric"]] + jitter if row["metric"] in planted else None

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft", "aligned": "a-fairclip"})
    gains = table[table["finding"] == "F2"].set_index("claim")
    assert gains["value"].to_dict() == pytest.approx(
        {"no gain in AUC": 5, "no gain in DPD": 10, "no gain in DEOdds": -10}, abs=0.2
    )
    assert gains["verdict"].to_dict() == {
        "no gain in AUC": "does not hold",
        "no gain in DPD": "does not hold",
        "no gain in DEOdds": "holds",
    }


def test_the_spread_is_the_mean_over_runs_of_its_logarithm(tmp_path):
    """A run with a hundredth of the variance must count as much as one with four times the variance."""
    grids = {"ft": grid(["clip-ft"]), "fair": grid(["fairclip-released"], ["race", "gender"], ["1e-7"])}
    variance = {"none": 100.0, "race": 1.0, "gender": 400.0}

    def change(run, row):
        if row["metric"] == "distance_square_scale_free":
            return 0.02
        jitter = 1 + 0.01 * run.seed * len(run.attr)
        is_exact = row["metric"] == "distance_square_wasserstein"
        return 0.02 * variance[run.attr] * jitter if is_exact else None

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft", "released": "fairclip-released"}, grids)
    [entry] = table[table["finding"] == "F3"].itertuples()
    assert entry.value == pytest.approx((np.log10(1 / 100) + np.log10(400 / 100)) / 4, abs=0.01)
    assert entry.verdict == "holds"


def test_a_role_is_compared_with_its_own_baseline(tmp_path):
    def change(run, row):
        auc = {"clip-ft": 0.9, "fairclip-corrected": 0.6, "a-fairclip": 0.7}.get(run.method, 0.5)
        return auc + 0.001 * run.seed * len(run.method) if row["metric"] == "auc" else None

    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
    table = check_planted(tmp_path, change, roles, baselines={"a-fairclip": "fairclip-corrected"})
    gain = table[(table["finding"] == "F2") & (table["claim"] == "no gain in AUC")]
    assert gain["methods"].item() == "a-fairclip against fairclip-corrected"
    assert gain["value"].item() == pytest.approx(10, abs=1)


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "holds"), (0.004, "does not hold")])
def test_mmd_as_released_must_equal_the_baseline_in_every_run(tmp_path, shift, verdict):
    """Differences of opposite sign, for two attributes, do not cancel."""
    grids = {
        "ft": grid(["clip-ft"]),
        "mmd": grid(["mmd-gaussian-released"], ["race", "gender"], ["200"]),
    }

    def change(run, row):
        sign = {"race": 1, "gender": -1}.get(run.attr, 0)
        return 0.7 + 0.01 * run.seed + shift * sign * (run.seed == 2) if row["metric"] == "auc" else None

    roles = {"fine_tuned": "clip-ft", "mmd_gaussian": "mmd-gaussian-released"}
    table = check_planted(tmp_path, change, roles, grids)
    [entry] = table[table["finding"] == "F4"].itertuples()
    assert entry.value == pytest.approx(100 * shift)
    assert entry.verdict == verdict


def test_several_attributes_are_compared_on_their_own_and_selection_in_pairs(tmp_path):
    def change(run, row):
        jitter = 0.001 * run.seed * len(run.method) / 10
        auc = {"fairclip-plus": 0.72, "clip-ft": 0.75, "fairclip-released": 0.71}.get(run.method, 0.7)
        if row["metric"] == "auc":
            return auc + jitter
        # Only what FairCLIP+ is trained for differs: 0.1 for race and gender against 0.3.
        fair = run.method == "fairclip-plus" or run.attr in ("ethnicity", "language")
        return (0.1 if fair else 0.3) + jitter if row["metric"] == "dpd" else None

    roles = {key: ROLES[key] for key in ("fine_tuned", "aligned", "several", "selection")}
    table = check_planted(tmp_path, change, roles)
    plus = table[table["finding"] == "F6"].set_index("claim")
    assert plus.loc["FairCLIP+ is better than FairCLIP for one attribute in AUC", "value"] == pytest.approx(
        2, abs=0.2
    )
    assert plus.loc["FairCLIP+ is better than FairCLIP for one attribute in DPD", "value"] == pytest.approx(
        20, abs=0.2
    )
    assert plus.loc["FairCLIP+ is below CLIP-FT in AUC", "value"] == pytest.approx(3, abs=0.2)
    [selected] = table[table["finding"] == "F7"].itertuples()
    assert selected.value == pytest.approx(1, abs=0.2)
    assert selected.verdict == "holds"


def test_only_runs_that_both_have_are_paired(tmp_path):
    grids = {
        "all": grid(["fairclip-released"], ["race", "gender"], ["1e-7"]),
        "race": grid(["fairclip-corrected"], ["race"], ["1e-7"]),
    }

    def change(run, row):
        given = 0.7 + 0.001 * run.seed * len(run.method) + 0.2 * (run.attr == "gender")
        return given if row["metric"] == "auc" else None

    roles = {"fine_tuned": "fairclip-corrected", "selection": {"fairclip-released": "fairclip-corrected"}}
    table = check_planted(tmp_path, change, roles, grids)
    [selected] = table[table["finding"] == "F7"].itertuples()
    assert selected.value == pytest.approx(-0.1, abs=1e-9)
    rows = {name: ROWS[name] for name in ("fairclip-released", "fairclip-corrected")}
    given = settings("fairclip/switches", grids=grids, rows=rows, base="fairclip-released")
    switched, _, _ = switches.build(read_runs(tmp_path / "again", grids, planted(change)), None, given)
    assert switched.set_index("measure").loc["auc", "difference"] == pytest.approx(0.1, abs=1e-9)


@pytest.mark.parametrize(("error", "verdict"), [(0.5, "holds"), (0.01, "does not hold"), (-3, "holds")])
def test_a_distance_that_is_far_off_the_exact_one_is_not_converged(tmp_path, error, verdict):
    def change(run, row):
        exact = 2 + 0.1 * run.seed
        given = {
            "distance_square_wasserstein": exact,
            "distance_square_sinkhorn": exact * (1 + error * (1 + run.seed / 100)),
        }
        return given.get(row["metric"])

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft"})
    [entry] = table[table["finding"] == "F9"].itertuples()
    assert entry.value == pytest.approx(abs(error) * 1.01)
    assert entry.verdict == verdict


def test_metrics_that_follow_the_distance_contradict_the_finding(records, tmp_path):
    epochs = write_epochs(tmp_path, GRIDS, methods=("a-fairclip", "clip-ft"))
    for path in epochs.values():
        frame = pd.read_csv(path)
        follows = frame["metric"] == "dpd"
        frame.loc[follows, "value"] = 1 / (1 + frame.loc[follows, "epoch"])
        frame.to_csv(path, index=False)
    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
    given = settings("fairclip/findings", roles=roles, epochs=epochs)
    table, _, _ = findings.build(records, None, given)
    chosen = table[(table["finding"] == "F5") & table["claim"].str.contains("smaller DPD")]
    assert len(chosen) == 4
    assert chosen["value"].tolist() == pytest.approx([1] * 4, abs=0.1)
    assert set(chosen["verdict"]) == {"does not hold"}


def test_an_untrained_model_is_paired_with_every_seed(tmp_path):
    grids = {"clip": grid(["clip"], seeds=[0]), "ft": grid(["fairclip-released"], ["race"], ["1e-7"])}
    roles = {"zero_shot": "clip", "released": "fairclip-released"}
    given = settings("fairclip/findings", grids=grids, roles=roles)
    table, _, _ = findings.build(read_runs(tmp_path, grids), None, given)
    assert set(table[table["finding"] == "F1"]["n"]) == {3}


def test_a_finding_needs_its_runs(records):
    without = records[records["method"] != "a-fairclip"]
    given = settings("fairclip/findings", roles=ROLES)
    with pytest.raises(UserError, match=r"method~a-fairclip/.* and 11 more; make the missing ones"):
        findings.build(without, None, given)
    assert set(METHODS) > set(without["method"])


def test_methods_with_several_strengths_cannot_be_compared(tmp_path):
    grids = {"ft": grid(["clip-ft"]), "lam": grid(["a-fairclip"], ["race"], ["1", "0.1"])}
    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
    given = settings("fairclip/findings", grids=grids, roles=roles)
    with pytest.raises(UserError, match=r"a-fairclip \(attr race\) has several of lam: 0.1, 1; name grids"):
        findings.build(read_runs(tmp_path, grids), None, given)
