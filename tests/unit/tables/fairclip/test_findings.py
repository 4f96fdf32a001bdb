"""Findings of the FairCLIP reproduction: signs, pairing and verdicts."""

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.fairclip import (
    findings,
    switches,
)
from tests.unit.tables.fairclip.synthetic_records import (
    GRIDS,
    GROUPS,
    METHODS,
    ROWS,
    grid,
    planted,
    read_runs,
    settings,
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
EQUIVALENT = "equivalent within the margin"
# With so many seeds every claim of these tables can be decided.
SEEDS = list(range(12))


def of_roles(grids, roles, baselines):
    """The grids with the methods of the roles alone, and more seeds."""
    of_selection = roles.get("selection", {})
    named = {method for role, method in roles.items() if role != "selection"}
    named |= {*of_selection, *of_selection.values(), *baselines.values()}
    kept = {name: [method for method in grid["methods"] if method in named] for name, grid in grids.items()}
    return {
        name: {**grids[name], "methods": methods, "seeds": SEEDS} for name, methods in kept.items() if methods
    }


def check_planted(folder, change, roles, grids=None, **other):
    """The checks of evaluations with planted values."""
    grids = of_roles(GRIDS if grids is None else grids, roles, other.get("baselines", {}))
    chosen = settings("fairclip/findings", grids=grids, roles=roles, **other)
    table, compared, _ = findings.build(read_runs(folder, grids, planted(change)), None, chosen)
    assert compared is None
    return table


def jitter(run, size=0.01):
    """A small deviation of a run that differs between methods."""
    return size * np.sin(run.seed * len(run.method) + len(run.attr))


def test_all_findings_are_judged_and_three_seeds_show_no_difference(records):
    given = settings("fairclip/findings", roles=ROLES, incomparable="synthetic data")
    table, _, page = findings.build(records, None, given)
    assert set(table["finding"]) == {f"F{number}" for number in range(1, 10)}
    directed = table[table["expected"] != "equivalent"]
    assert "holds" not in set(directed["verdict"])
    assert (table["p_difference"] >= 0.25).all()
    assert set(table["agrees"]) <= {"yes", "no", "undecided"}
    assert table[["claim", "methods", "statistic", "mean", "n", "margin"]].notna().all(axis=None)
    assert "These findings are about synthetic data, not the papers' models" in page
    assert "With 3 units no p-value of the sign-flip test is below 0.25" in page
    assert page.count("\n| F") == len(table) + 9


def test_a_score_that_only_shrinks_drops_raw_but_not_free_of_scale(tmp_path):
    def change(run, row):
        size = 0.1 if run.method == "fairclip-released" else 1.0
        if row["metric"].endswith("scale_free"):
            return 0.02 * (1 + jitter(run, 0.02))
        return 5 * size**2 * (1 + jitter(run)) if row["metric"].startswith("distance") else None

    roles = {"zero_shot": "clip", "fine_tuned": "clip-ft", "released": "fairclip-released"}
    table = check_planted(tmp_path, change, roles)
    first = table[table["finding"] == "F1"]
    falls = first["expected"] == "lower"
    assert first[falls]["verdict"].tolist() == ["holds"] * 6
    assert first[~falls]["verdict"].tolist() == [EQUIVALENT] * 4
    assert set(first["agrees"]) == {"yes"}
    assert first[falls]["mean"].tolist() == pytest.approx([-2] * 6, abs=0.01)
    [shrunk] = table[table["finding"] == "F3"].itertuples()
    assert shrunk.mean == pytest.approx(-1, abs=0.01)
    assert (shrunk.verdict, shrunk.agrees) == ("holds", "yes")


def test_gains_are_positive_when_better_and_agree_with_the_reproduction_when_there_are_none(tmp_path):
    def change(run, row):
        better = run.method == "a-fairclip"
        known = {"auc": 0.7 + 0.05 * better, "dpd": 0.2 - 0.1 * better, "deodds": 0.2 + 0.1 * better}
        return known[row["metric"]] + jitter(run, 0.001) if row["metric"] in known else None

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft", "aligned": "a-fairclip"})
    gains = table[table["finding"] == "F2"].set_index("claim")
    assert gains["mean"].to_dict() == pytest.approx(
        {"a gain in AUC": 5, "a gain in DPD": 10, "a gain in DEOdds": -10}, abs=0.2
    )
    assert gains["verdict"].tolist() == ["holds", "holds", "does not hold"]
    assert gains["agrees"].tolist() == ["no", "no", "yes"]


def test_no_gain_needs_the_test_of_equivalence(tmp_path):
    """A gain of a tenth of a point, once with little and once with much variation between seeds."""
    verdicts = []
    for folder, size in (("little", 0.001), ("much", 0.05)):

        def change(run, row, size=size):
            better = run.method == "a-fairclip"
            return 0.7 + 0.001 * better + jitter(run, size) if row["metric"] == "auc" else None

        roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
        table = check_planted(tmp_path / folder, change, roles)
        [gain] = table[table["claim"] == "a gain in AUC"].itertuples()
        verdicts.append((gain.verdict, gain.agrees))
    assert verdicts[0] == (EQUIVALENT, "yes")
    assert verdicts[1][0].startswith("undecided (would need")
    assert verdicts[1][1] == "undecided"


def test_the_spread_is_the_mean_over_runs_of_its_logarithm(tmp_path):
    """A run with a hundredth of the variance must count as much as one with four times the variance."""
    grids = {"ft": grid(["clip-ft"]), "fair": grid(["fairclip-released"], ["race", "gender"], ["1e-7"])}
    variance = {"none": 100.0, "race": 1.0, "gender": 400.0}

    def change(run, row):
        if row["metric"] == "distance_square_scale_free":
            return 0.02
        is_exact = row["metric"] == "distance_square_wasserstein"
        return 0.02 * variance[run.attr] * (1 + jitter(run)) if is_exact else None

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft", "released": "fairclip-released"}, grids)
    [entry] = table[table["finding"] == "F3"].itertuples()
    assert entry.mean == pytest.approx((np.log10(1 / 100) + np.log10(400 / 100)) / 4, abs=0.01)
    assert entry.verdict == "holds"


def test_a_role_is_compared_with_its_own_baseline(tmp_path):
    def change(run, row):
        auc = {"clip-ft": 0.9, "fairclip-corrected": 0.6, "a-fairclip": 0.7}.get(run.method, 0.5)
        return auc + jitter(run) if row["metric"] == "auc" else None

    roles = {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}
    table = check_planted(tmp_path, change, roles, baselines={"a-fairclip": "fairclip-corrected"})
    gain = table[table["claim"] == "a gain in AUC"]
    assert gain["methods"].item() == "a-fairclip against fairclip-corrected"
    assert gain["mean"].item() == pytest.approx(10, abs=1)


@pytest.mark.parametrize(
    ("shift", "verdict", "agrees"),
    [(0.0, "identical in every unit", "yes"), (0.04, "does not hold", "no"), (0.004, EQUIVALENT, "yes")],
)
def test_mmd_as_released_must_equal_the_baseline_in_every_run(tmp_path, shift, verdict, agrees):
    """Differences of opposite sign, for two attributes, do not cancel."""
    grids = {
        "ft": grid(["clip-ft"]),
        "mmd": grid(["mmd-gaussian-released"], ["race", "gender"], ["200"]),
    }

    def change(run, row):
        sign = {"race": 1, "gender": -0.9}.get(run.attr, 0)
        return 0.7 + shift * sign * (1 + 0.01 * run.seed) if row["metric"] == "auc" else None

    roles = {"fine_tuned": "clip-ft", "mmd_gaussian": "mmd-gaussian-released"}
    table = check_planted(tmp_path, change, roles, grids)
    [entry] = table[table["finding"] == "F4"].itertuples()
    assert entry.mean == pytest.approx(100 * shift * 1.055)
    assert (entry.verdict, entry.agrees) == (verdict, agrees)


def test_several_attributes_are_compared_on_their_own_and_selection_in_pairs(tmp_path):
    def change(run, row):
        auc = {"fairclip-plus": 0.72, "clip-ft": 0.75, "fairclip-released": 0.73}.get(run.method, 0.7)
        if row["metric"] == "auc":
            return auc + jitter(run, 0.001)
        # Only what FairCLIP+ is trained for differs: 0.1 for race and gender against 0.3.
        fair = run.method == "fairclip-plus" or run.attr in ("ethnicity", "language")
        return (0.1 if fair else 0.3) + jitter(run, 0.001) if row["metric"] == "dpd" else None

    roles = {key: ROLES[key] for key in ("fine_tuned", "aligned", "several", "selection")}
    table = check_planted(tmp_path, change, roles)
    plus = table[table["finding"] == "F6"].set_index("claim")["mean"]
    assert plus["FairCLIP+ is better than FairCLIP for one attribute in AUC"] == pytest.approx(2, abs=0.2)
    assert plus["FairCLIP+ is better than FairCLIP for one attribute in DPD"] == pytest.approx(20, abs=0.2)
    assert plus["FairCLIP+ is below CLIP-FT in AUC"] == pytest.approx(-3, abs=0.2)
    [selected] = table[table["finding"] == "F7"].itertuples()
    assert selected.mean == pytest.approx(3, abs=0.2)
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
    assert selected.mean == pytest.approx(-0.55, abs=1e-9)
    rows = {name: ROWS[name] for name in ("fairclip-released", "fairclip-corrected")}
    given = settings("fairclip/switches", grids=grids, rows=rows, base="fairclip-released")
    switched, _, _ = switches.build(read_runs(tmp_path / "again", grids, planted(change)), None, given)
    assert switched.set_index("measure").loc["auc", "difference"] == pytest.approx(0.1, abs=1e-9)


@pytest.mark.parametrize(
    ("effect", "noise", "verdict", "agrees"),
    [(0.1, 0.01, "holds", "no"), (0.0, 0.04, "does not hold", "yes")],
)
def test_an_effect_must_exceed_the_noise_and_identical_methods_have_none(
    tmp_path, effect, noise, verdict, agrees
):
    grids = {"ft": grid(["clip-ft"]), "fair": grid(["a-fairclip"], ["race"], ["1"])}

    def change(run, row):
        changed = effect * (run.method == "a-fairclip")
        of_seed = noise * (-1) ** run.seed * (1 + run.seed / 50)
        return 0.7 + changed + of_seed if row["metric"] == "auc" else None

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft", "aligned": "a-fairclip"}, grids)
    [entry] = table[table["claim"].str.contains("AUC more than another seed")].itertuples()
    deviations = [noise * (1 + seed / 50) for seed in SEEDS]
    assert entry.mean == pytest.approx(100 * (effect - np.mean(deviations)), abs=0.05)
    assert (entry.verdict, entry.agrees) == (verdict, agrees)


@pytest.mark.parametrize(
    ("error", "verdict", "agrees"),
    [(0.5, "does not hold", "yes"), (0.01, EQUIVALENT, "no"), (-3, "does not hold", "yes")],
)
def test_a_distance_that_is_far_off_the_exact_one_is_not_converged(tmp_path, error, verdict, agrees):
    def change(run, row):
        exact = 2 + 0.1 * run.seed
        given = {
            "distance_square_wasserstein": exact,
            "distance_square_sinkhorn": exact * (1 + error * (1 + run.seed / 100)),
        }
        return given.get(row["metric"])

    table = check_planted(tmp_path, change, {"fine_tuned": "clip-ft"})
    [entry] = table[table["finding"] == "F9"].itertuples()
    assert entry.mean == pytest.approx(error * 1.055)
    assert (entry.verdict, entry.agrees) == (verdict, agrees)


def test_a_published_model_that_serves_every_seed_decides_nothing(tmp_path):
    def change(run, row):
        given = {"distance_square_wasserstein": 2.0, "distance_square_sinkhorn": 1.0}
        return given.get(row["metric"]) if run.method == "clip" else None

    table = check_planted(tmp_path, change, {"zero_shot": "clip"})
    [entry] = table[table["finding"] == "F9"].itertuples()
    assert entry.mean == -0.5
    assert (entry.verdict, entry.p_difference) == ("undecided (no variation between units)", 1)


@pytest.mark.parametrize(("sign", "verdict", "agrees"), [(1, "holds", "no"), (-1, "does not hold", "yes")])
def test_metrics_that_follow_the_distance_of_the_models_of_a_seed(tmp_path, sign, verdict, agrees):
    """Correlations are over models, not over epochs: ranks are equal but for two models."""
    models = [(name, attr) for name in METHODS for attr in ("none", *GROUPS)]

    def change(run, row):
        place = models.index((run.method, run.attr)) if (run.method, run.attr) in models else len(models)
        if row["metric"] in ("distance_wasserstein", "distance_scale_free"):
            return 3.0 + place + 2 * np.sin(run.seed * (place + 1))
        return 0.5 + 0.01 * sign * place if row["metric"] == "dpd" else None

    table = check_planted(tmp_path, change, {key: ROLES[key] for key in ROLES if key != "selection"})
    chosen = table[(table["finding"] == "F5") & table["claim"].str.contains("smaller DPD")]
    assert len(chosen) == 2
    assert (sign * chosen["mean"] > 0.9).all()
    assert set(chosen["verdict"]) == {verdict}
    assert set(chosen["agrees"]) == {agrees}
    assert "clip" not in chosen["methods"].iloc[0].split(", ")


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
