"""Switches, epochs and findings: the signs, the pairing and the verdicts."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clipfair.core.errors import UserError
from clipfair.tables.common.figure_files import write_figure
from clipfair.tables.fairclip import (
    distance_vs_metrics as fair_distance_vs_metrics,
)
from clipfair.tables.fairclip import distance_vs_metrics_figure as draw_epochs
from clipfair.tables.fairclip import (
    findings as findings_fairclip,
)
from clipfair.tables.fairclip import (
    switches as fair_switches,
)
from clipfair.tables.fairclip import switches_figure as draw_switches
from clipfair.tables.fairclip.epochs import rank_correlation
from clipfair.tables.fairclip.findings import judge
from clipfair.tables.fairclip.rows import Interval
from tests.unit.tables.fairclip.made_records import (
    GRIDS,
    METHODS,
    ROWS,
    grid,
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


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The evaluations of all grids, three seeds each."""
    return read_runs(tmp_path_factory.mktemp("evaluate"), GRIDS)


@pytest.fixture(scope="module")
def epochs(tmp_path_factory):
    """The epochs of every run, in which distances fall and metrics do nothing."""
    return write_epochs(tmp_path_factory.mktemp("train"), GRIDS)


def planted(change):
    """Evaluations in which every value is what ``change(run, row)`` says, or as made where it says None."""

    def edit(run, rows):
        told = [(row, change(run, row)) for row in rows]
        return [row if value is None else {**row, "value": value} for row, value in told]

    return edit


def findings(folder, change, roles, grids=GRIDS, **other):
    """The lines of findings of planted evaluations, by finding."""
    told = settings("fairclip/findings", grids=grids, roles=roles, **other)
    table, compared, _ = findings_fairclip.build(read_runs(folder, grids, planted(change)), None, told)
    assert compared is None
    return table


# --- switches ---------------------------------------------------------------------------------

SWITCHES = {name: ROWS[name] for name in ("fairclip-released", "fairclip-corrected", "a-fairclip")}


def test_a_switch_is_the_paired_difference_to_the_base(records):
    told = settings("fairclip/switches", rows=SWITCHES, base="fairclip-released")
    table, compared, page = fair_switches.build(records, None, told)
    assert compared is None
    raw = records[(records["metric"] == "dpd") & (records["label"] == records["attr"])]
    by_seed = raw.groupby(["method", "seed"])["value"].mean()
    pairs = 100 * (by_seed["a-fairclip"] - by_seed["fairclip-released"])
    [line] = table[(table["method"] == "a-fairclip") & (table["measure"] == "dpd")].itertuples()
    assert line.difference == pytest.approx(pairs.mean())
    assert (line.low, line.high) == pytest.approx(
        stats.t.interval(0.95, 2, pairs.mean(), stats.sem(pairs)), rel=1e-9
    )
    assert line.n == 3
    assert set(table["method"]) == {"fairclip-corrected", "a-fairclip"}
    assert "“FairCLIP as released”" in page


def test_what_a_switch_planted_is_found_and_bold(tmp_path):
    def change(run, row):
        switched = 0.1 if run.method == "fairclip-corrected" else 0
        noise = 1e-4 * (run.seed + len(run.method))
        if row["metric"].startswith("distance"):
            return 10 ** (20 * switched) * (1 + noise)
        return 0.5 + switched + noise * run.seed

    records = read_runs(tmp_path, GRIDS, planted(change))
    told = settings("fairclip/switches", rows=SWITCHES, base="fairclip-released")
    table, _, page = fair_switches.build(records, None, told)
    lines = table.set_index(["method", "measure"])
    assert lines.loc[("fairclip-corrected", "dpd"), "difference"] == pytest.approx(10, abs=0.1)
    assert lines.loc[("fairclip-corrected", "distance_wasserstein"), "difference"] == pytest.approx(
        2, abs=0.01
    )
    assert lines.loc[("fairclip-corrected", "auc"), "p_holm"] < 0.05
    assert "**+10.0" in page


def test_the_figure_of_switches_is_the_same_every_time(records, tmp_path):
    told = settings("fairclip/switches", rows=SWITCHES, base="fairclip-released")
    table, _, _ = fair_switches.build(records, None, told)
    text = _redraw(tmp_path, table, draw_switches.draw)
    assert all(label in text for label in ("FairCLIP corrected", "A-FairCLIP", "log10 ratio", "points"))


# --- epochs -----------------------------------------------------------------------------------


def test_rank_correlations_are_spearmans_over_the_epochs_of_each_run(records, epochs):
    rows = {name: ROWS[name] for name in ("clip-ft", "a-fairclip", "fairclip-plus")}
    told = settings("fairclip/epochs", rows=rows, epochs=epochs)
    table, compared, page = fair_distance_vs_metrics.build(records, None, told)
    assert compared is None
    ranks = table[table["kind"] == "correlation"]
    [line] = ranks[
        (ranks["method"] == "a-fairclip") & (ranks["attribute"] == "race")
        & (ranks["distance"] == "distance_scale_free") & (ranks["measure"] == "deodds")
    ].itertuples()  # fmt: skip
    expected = []
    for seed in (0, 1, 2):
        [key] = [key for key in epochs if f"method~a-fairclip/attr~race/lam~1e-7/seed~{seed}" in key]
        frame = pd.read_csv(epochs[key]).query("split == 'test' and label == 'race'")
        frame = frame[frame["epoch"] > 0]
        distance = frame[frame["metric"] == "distance_scale_free"].groupby("epoch")["value"].mean()
        metric = frame[frame["metric"] == "deodds"].set_index("epoch")["value"]
        expected.append(stats.spearmanr(distance, metric.reindex(distance.index)).statistic)
    assert line.mean == pytest.approx(np.mean(expected))
    assert line.n == 3
    # A method for one attribute is shown on it, one for two on both, CLIP-FT on all.
    shown = ranks.groupby("row")["attribute"].agg(set).to_dict()
    assert shown["A-FairCLIP (gender)"] == {"gender"}
    assert shown["FairCLIP+ (race-gender)"] == {"race", "gender"}
    assert shown["CLIP-FT"] == {"race", "gender", "ethnicity", "language"}
    assert "| A-FairCLIP (gender) | gender |" in page


def test_curves_are_means_over_seeds_and_the_figure_shows_them(records, epochs, tmp_path):
    rows = {name: ROWS[name] for name in ("clip-ft", "fairclip-plus")}
    told = settings("fairclip/epochs", rows=rows, epochs=epochs)
    table, _, _ = fair_distance_vs_metrics.build(records, None, told)
    curves = table[table["kind"] == "curve"].set_index(["method", "attribute", "measure", "epoch"])
    values = [
        pd.read_csv(path).query("split == 'test' and metric == 'auc' and epoch == 4 and label != label")[
            "value"
        ]
        for key, path in epochs.items()
        if "method~clip-ft" in key
    ]
    for attribute in ("race", "language"):
        point = curves.loc["clip-ft", attribute, "auc", 4]
        assert point["mean"] == pytest.approx(100 * np.mean([value.item() for value in values]))
        assert point["n"] == 3
    text = _redraw(tmp_path, table, draw_epochs.draw)
    assert all(label in text for label in ("CLIP-FT", "FairCLIP+", "DEOdds (%)", "epoch", "exact, DPD"))


def test_too_few_epochs_or_none_are_one_clear_line(records, tmp_path):
    few = write_epochs(tmp_path, {"ft": grid(["clip-ft"])}, n=2)
    rows = {"clip-ft": ROWS["clip-ft"]}
    with pytest.raises(UserError, match=r"epochs.csv: 2 epochs on split test, a rank correlation needs 3"):
        fair_distance_vs_metrics.build(records, None, settings(rows=rows, epochs=few))
    with pytest.raises(UserError, match=r"no epochs of its rows \(clip-ft\).*needs: \[epochs\]"):
        fair_distance_vs_metrics.build(records, None, settings(rows=rows, epochs={}))


def test_a_rank_correlation_is_of_the_epochs_after_the_first_and_may_be_undefined():
    epochs = pd.Index([0, 1, 2, 3], name="epoch")
    run = pd.DataFrame(
        {"x": [9.0, 1, 2, 3], "y": [9.0, 3, 2, 1], "same": 5.0, "gap": [1, 2, np.nan, 3]}, epochs
    )
    assert rank_correlation(run, "x", "y") == -1
    assert np.isnan(rank_correlation(run, "x", "same"))
    assert np.isnan(rank_correlation(run, "x", "gap"))


# --- findings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "side", "verdict"),
    [
        (1, 2, "above", "holds"),
        (1, 2, "below", "does not hold"),
        (-2, -1, "below", "holds"),
        (-2, -1, "above", "does not hold"),
        (-1, 1, "above", "undecided"),
        (-1, 1, "below", "undecided"),
        (np.nan, np.nan, "above", "undecided"),
    ],
)
def test_a_verdict_is_of_the_whole_interval(low, high, side, verdict):
    assert judge(Interval(0.0, low, high, 3, 0.5), 0.0, side) == verdict


def test_all_findings_are_checked_and_complete(records, epochs):
    told = settings("fairclip/findings", roles=ROLES, epochs=epochs, incomparable="synthetic data")
    table, _, page = findings_fairclip.build(records, None, told)
    assert set(table["finding"]) == {f"F{number}" for number in range(1, 10)}
    assert set(table["verdict"]) <= {"holds", "does not hold", "undecided"}
    assert table[["claim", "methods", "statistic", "value", "n", "test", "threshold"]].notna().all(axis=None)
    assert "findings about synthetic data, not about the papers' models" in page
    assert page.count("\n| F") == len(table)


def test_a_score_that_only_shrinks_drops_raw_but_not_free_of_scale(tmp_path):
    def change(run, row):
        jitter = 1 + 0.01 * run.seed
        size = 0.1 if run.method == "fairclip-released" else 1.0
        if row["metric"].endswith("scale_free"):
            return 0.02 * jitter
        return 5 * size**2 * jitter if row["metric"].startswith("distance") else None

    roles = {"zero_shot": "clip", "fine_tuned": "clip-ft", "released": "fairclip-released"}
    table = findings(tmp_path, change, roles)
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

    table = findings(tmp_path, change, {"fine_tuned": "clip-ft", "aligned": "a-fairclip"})
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
    """A run whose scores vary a hundred times less must not vanish beside one whose vary four times more."""
    grids = {"ft": grid(["clip-ft"]), "fair": grid(["fairclip-released"], ["race", "gender"], ["1e-7"])}
    variance = {"none": 100.0, "race": 1.0, "gender": 400.0}

    def change(run, row):
        if row["metric"] == "distance_square_scale_free":
            return 0.02
        jitter = 1 + 0.01 * run.seed * len(run.attr)
        is_exact = row["metric"] == "distance_square_wasserstein"
        return 0.02 * variance[run.attr] * jitter if is_exact else None

    table = findings(tmp_path, change, {"fine_tuned": "clip-ft", "released": "fairclip-released"}, grids)
    [line] = table[table["finding"] == "F3"].itertuples()
    assert line.value == pytest.approx((np.log10(1 / 100) + np.log10(400 / 100)) / 4, abs=0.01)
    assert line.verdict == "holds"


def test_a_role_is_compared_with_its_own_baseline(tmp_path):
    def change(run, row):
        auc = {"clip-ft": 0.9, "fairclip-corrected": 0.6, "a-fairclip": 0.7}.get(run.method, 0.5)
        return auc + 0.001 * run.seed * len(run.method) if row["metric"] == "auc" else None

    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip", "baselines": {"aligned": "fairclip-corrected"}}
    table = findings(tmp_path, change, roles)
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
    table = findings(tmp_path, change, roles, grids)
    [line] = table[table["finding"] == "F4"].itertuples()
    assert line.value == pytest.approx(100 * shift)
    assert line.verdict == verdict


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
    table = findings(tmp_path, change, roles)
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
        told = 0.7 + 0.001 * run.seed * len(run.method) + 0.2 * (run.attr == "gender")
        return told if row["metric"] == "auc" else None

    roles = {"fine_tuned": "fairclip-corrected", "selection": {"fairclip-released": "fairclip-corrected"}}
    table = findings(tmp_path, change, roles, grids)
    [selected] = table[table["finding"] == "F7"].itertuples()
    assert selected.value == pytest.approx(-0.1, abs=1e-9)
    rows = {name: ROWS[name] for name in ("fairclip-released", "fairclip-corrected")}
    told = settings("fairclip/switches", grids=grids, rows=rows, base="fairclip-released")
    switched, _, _ = fair_switches.build(read_runs(tmp_path / "again", grids, planted(change)), None, told)
    assert switched.set_index("measure").loc["auc", "difference"] == pytest.approx(0.1, abs=1e-9)


@pytest.mark.parametrize(("error", "verdict"), [(0.5, "holds"), (0.01, "does not hold"), (-3, "holds")])
def test_a_distance_that_is_far_off_the_exact_one_is_not_converged(tmp_path, error, verdict):
    def change(run, row):
        exact = 2 + 0.1 * run.seed
        told = {
            "distance_square_wasserstein": exact,
            "distance_square_sinkhorn": exact * (1 + error * (1 + run.seed / 100)),
        }
        return told.get(row["metric"])

    table = findings(tmp_path, change, {"fine_tuned": "clip-ft"})
    [line] = table[table["finding"] == "F9"].itertuples()
    assert line.value == pytest.approx(abs(error) * 1.01)
    assert line.verdict == verdict


def test_metrics_that_follow_the_distance_speak_against_the_finding(records, tmp_path):
    epochs = write_epochs(tmp_path, GRIDS, methods=("a-fairclip", "clip-ft"))
    for path in epochs.values():
        frame = pd.read_csv(path)
        follows = frame["metric"] == "dpd"
        frame.loc[follows, "value"] = 1 / (1 + frame.loc[follows, "epoch"])
        frame.to_csv(path, index=False)
    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
    told = settings("fairclip/findings", roles=roles, epochs=epochs)
    table, _, _ = findings_fairclip.build(records, None, told)
    chosen = table[(table["finding"] == "F5") & table["claim"].str.contains("smaller DPD")]
    assert len(chosen) == 4
    assert chosen["value"].tolist() == pytest.approx([1] * 4, abs=0.1)
    assert set(chosen["verdict"]) == {"does not hold"}


def test_a_model_that_is_not_trained_stands_against_every_seed(tmp_path):
    grids = {"clip": grid(["clip"], seeds=[0]), "ft": grid(["fairclip-released"], ["race"], ["1e-7"])}
    roles = {"zero_shot": "clip", "released": "fairclip-released"}
    told = settings("fairclip/findings", grids=grids, roles=roles)
    table, _, _ = findings_fairclip.build(read_runs(tmp_path, grids), None, told)
    assert set(table[table["finding"] == "F1"]["n"]) == {3}


def test_a_finding_needs_its_runs(records):
    without = records[records["method"] != "a-fairclip"]
    told = settings("fairclip/findings", roles=ROLES)
    with pytest.raises(UserError, match=r"method~a-fairclip/.* and 11 more; make what is missing"):
        findings_fairclip.build(without, None, told)
    assert set(METHODS) > set(without["method"])


def test_methods_with_several_strengths_cannot_be_compared(tmp_path):
    grids = {"ft": grid(["clip-ft"]), "lam": grid(["a-fairclip"], ["race"], ["1", "0.1"])}
    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
    told = settings("fairclip/findings", grids=grids, roles=roles)
    with pytest.raises(UserError, match=r"a-fairclip \(attr race\) has several of lam: 0.1, 1; name grids"):
        findings_fairclip.build(read_runs(tmp_path, grids), None, told)


def _redraw(folder, table, draw):
    table.to_csv(folder / "table.csv", index=False)
    for name in ("one.svg", "two.svg"):
        write_figure(draw(pd.read_csv(folder / "table.csv")), folder / name, data="synthetic")
    assert (folder / "one.svg").read_bytes() == (folder / "two.svg").read_bytes()
    return (folder / "one.svg").read_text()
