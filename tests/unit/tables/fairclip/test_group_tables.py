"""The tables of group fairness and of distances, their comparisons and figures."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.paths import ROOT
from clipfair.tables.common.compare import read_published
from clipfair.tables.common.table5 import gather_table5
from clipfair.tables.common.table_files import write_comparison
from clipfair.tables.fairclip import (
    distances,
    distances_figure,
    fairface,
    lambda_sweep,
    lambda_sweep_figure,
    linear_probe,
    metrics_figure,
    mmd,
    original_table3,
    validation,
    zero_shot,
)
from clipfair.tables.fairclip.measures import DISTANCES, SQUARE_DISTANCES
from tests.unit.tables.drawing import svg_of
from tests.unit.tables.fairclip.synthetic_records import EVALUATIONS, ROWS, grid, read_runs, settings

PUBLISHED = str(ROOT / "resources/published/fairclip.csv")


def test_the_published_values_are_tidy_and_have_a_source():
    frame = pd.read_csv(PUBLISHED)
    assert not frame.duplicated(["table", "dataset", "row", "metric"]).any()
    assert frame[["paper", "mean", "unit", "source"]].notna().all(axis=None)
    assert set(frame["paper"]) == {"fairclip"}
    percent = frame[frame["unit"] == "%"]
    assert percent["mean"].between(0, 100).all()
    known = frame.set_index(["table", "dataset", "row", "metric"])["mean"]
    assert known["original-table3", "ViT-B/16", "FairCLIP-race", "race: DPD"] == 6.07
    assert known["original-checkpoints", "ViT-B/16", "CLIP", "race: ES-AUC"] == 64.64
    assert (
        known["table5", "ViT-B/16", "FairCLIP-language", "race: Sinkhorn distance of diag(LL) asian"]
        == 28.4759
    )
    assert known["zero-shot", "ViT-B/16", "CLIP-FT test-selected", "AUC"] == 69.44


def test_the_zero_shot_table_is_compared_with_the_published_one(records):
    rows = {**ROWS, "clip-ft": {"name": "CLIP-FT", "published": "CLIP-FT test-selected"}}
    published = read_published(PUBLISHED, "zero-shot")
    table, compared, page = zero_shot.build(records, published, settings(rows=rows))
    cell = compared.set_index(["row", "metric"]).loc["CLIP-FT", "race: DPD"]
    assert cell["published_mean"] == 14.69
    assert cell["difference"] == pytest.approx(cell["mean"] - 14.69)
    assert cell["verdict"] in ("reproduced", "differs")
    assert (compared.loc[compared["row"] == "CLIP", "verdict"] == "not comparable: no published value").all()
    assert "published_row" not in table
    assert "(14.69 ± 7.96)" in page
    assert "selected on the test set" in page
    assert "n = 3 seeds in each cell." in page


def test_a_model_that_is_not_trained_has_no_variation_between_seeds(records):
    sentence = "The ± 0.00 of a model that is not trained is no variation between trainings."
    levels = ["model", "method", "attr", "lam", "evaluation", "examples", "metric", "label", "group"]
    same = records.assign(
        value=records["value"].mask(
            records["method"] == "clip",
            records.groupby(levels, dropna=False)["value"].transform("first"),
        )
    )
    pages = [fairface.build(frame, None, settings())[2] for frame in (records, same)]
    assert [sentence in page for page in pages] == [False, True]


def test_synthetic_results_are_never_a_reproduction(records):
    rows = {**ROWS, "clip-ft": {"name": "CLIP-FT", "published": "CLIP-FT test-selected"}}
    given = settings(rows=rows, incomparable="synthetic data")
    _, compared, page = zero_shot.build(records, read_published(PUBLISHED, "zero-shot"), given)
    assert set(compared["verdict"]) == {"not comparable: synthetic data"}
    assert "| **" not in page
    assert "synthetic data" in page


def test_a_table_without_a_published_one(records):
    table, compared, page = fairface.build(records, None, settings())
    assert compared is None
    assert len(table)
    assert "published values come from" not in page


def test_the_order_of_the_records_does_not_matter(records):
    forwards = zero_shot.build(records, None, settings())
    backwards = zero_shot.build(records.sort_values("seed", ascending=False, kind="stable"), None, settings())
    pd.testing.assert_frame_equal(forwards[0], backwards[0])
    assert forwards[2] == backwards[2]


def test_linear_probes_read_their_own_evaluation(tmp_path):
    grids = {"probe": grid(["clip", "clip-ft"], evaluations=list(EVALUATIONS))}
    given = settings(
        "fairclip/linear-probe", grids=grids, rows={name: ROWS[name] for name in ("clip", "clip-ft")}
    )
    records = read_runs(tmp_path, grids)
    published = read_published(PUBLISHED, "linear-probe")
    table, compared, _ = linear_probe.build(records, published, given)
    assert not table["measure"].str.startswith("distance").any()
    assert compared["published_mean"].isna().all()  # published of ViT-L/14 only
    _, compared, _ = linear_probe.build(records, published, {**given, "encoders": {"tiny": "ViT-L/14"}})
    assert compared.set_index(["row", "metric"]).loc["CLIP", "AUC"]["published_mean"] == 76.531


def test_the_original_table_3_has_each_method_on_its_own_attribute(records):
    rows = {
        "clip-ft": {"name": "CLIP-FT", "published": "CLIP"},
        "fairclip-released": {"name": "FairCLIP", "published": "FairCLIP-{attr}"},
    }
    published = read_published(PUBLISHED, "original-table3")
    table, compared, page = original_table3.build(records, published, settings(rows=rows))
    trained = table[table["attr"] != "none"]
    assert ((trained["attribute"] == trained["attr"]) | (trained["attribute"] == "")).all()
    assert set(table.loc[table["attr"] == "none", "attribute"]) == {
        "",
        "race",
        "gender",
        "ethnicity",
        "language",
    }
    cells = compared.set_index(["row", "metric"])["published_mean"]
    assert cells["FairCLIP (gender)", "gender: AUC female"] == 66.81
    assert "| FairCLIP (race) | - |" not in page


def test_distances_of_the_released_score_are_compared_with_the_published_ones(records):
    published = read_published(PUBLISHED, "table5")
    table, compared, page = distances.build(records, published, settings("fairclip/table5"))
    assert set(table["measure"]) == {*DISTANCES, *SQUARE_DISTANCES}
    assert len(table) == 15 * 10 * 6
    cells = compared.set_index(["row", "metric"])
    assert cells.loc[("CLIP", "race: Sinkhorn distance of diag(LL) asian"), "published_mean"] == 3103.06
    assert cells.loc[("CLIP", "race: exact distance of diag(LL) asian"), "published_mean"] == 625076
    assert np.isnan(cells.loc[("CLIP", "race: exact distance asian"), "published_mean"])
    assert "**Each published distance is of one checkpoint**" in page
    _, without, page = distances.build(records, None, settings("fairclip/table5"))
    assert without is None
    assert "one checkpoint" not in page


def test_mmd_is_on_the_attributes_trained_for_and_has_the_validation_auc(tmp_path, monkeypatch):
    entry = {"kind": "group_fairness", "dataset": "fundus", "split": "val"}
    monkeypatch.setitem(EVALUATIONS, "fairvlmed-val", entry)
    both = ["fairvlmed-test", "fairvlmed-val"]
    grids = {
        "clip": grid(["clip-ft", "mmd-gaussian-released"], evaluations=both),
        "single": grid(["a-fairclip"], ["race", "gender"], ["1"], evaluations=both),
    }
    rows = {
        "clip-ft": ROWS["clip-ft"],
        "a-fairclip": ROWS["a-fairclip"],
        "mmd-gaussian-released": {"name": "MMD", "published": None},
    }
    given = settings("fairclip/mmd", grids=grids, rows=rows, evaluation=both[0], validation=both[1])
    records = read_runs(tmp_path, grids)
    _, compared, page = mmd.build(records, read_published(PUBLISHED, "mmd"), given)
    cells = compared.set_index(["row", "metric"])
    assert cells.loc[("CLIP-FT", "validation AUC"), "published_mean"] == 70.397
    assert cells.loc[("A-FairCLIP (race)", "validation AUC"), "published_mean"] == 60.14
    raw = records[(records["evaluation"] == "fairvlmed-val") & (records["method"] == "clip-ft")]
    overall = raw[(raw["metric"] == "auc") & raw["label"].isna()]["value"]
    assert cells.loc[("CLIP-FT", "validation AUC"), "mean"] == pytest.approx(100 * overall.mean())
    assert ("A-FairCLIP (race)", "gender: DPD") not in cells.index
    assert "| A-FairCLIP (race) |" in page


def test_the_validation_auc_alone_is_compared_with_that_of_other_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setitem(EVALUATIONS, "fairvlmed-val", {**EVALUATIONS["fairvlmed-test"], "split": "val"})
    grids = {
        "clip": grid(["clip-ft"], evaluations=["fairvlmed-val"]),
        "single": grid(["fairclip-released"], ["ethnicity"], ["1e-7"], evaluations=["fairvlmed-val"]),
    }
    rows = {name: ROWS[name] for name in ("clip-ft", "fairclip-released")}
    of_grids = {"fairvlmed-val": EVALUATIONS["fairvlmed-val"]}
    given = settings("fairclip/validation", grids=grids, rows=rows, evaluations=of_grids)
    records = read_runs(tmp_path, grids)
    table, compared, page = validation.build(records, read_published(PUBLISHED, "validation"), given)
    assert set(table["metric"]) == {"validation AUC"}
    assert compared.set_index("row")["published_mean"].to_dict() == {
        "CLIP-FT": 70.15,
        "FairCLIP as released (ethnicity)": 66.387,
    }
    raw = records[records["method"] == "clip-ft"]
    overall = raw[(raw["metric"] == "auc") & raw["label"].isna()]["value"]
    assert table.set_index("row").loc["CLIP-FT", "mean"] == pytest.approx(100 * overall.mean())
    assert "(66.39 ± 3.85)" in page


def test_the_sweep_has_every_strength_and_those_without(tmp_path):
    strengths = ["1", "0.01", "1e-7"]
    grids = {"ft": grid(["clip-ft"]), "lam": grid(["a-fairclip"], ["race"], strengths)}
    given = settings(
        "fairclip/lam", grids=grids, rows={name: ROWS[name] for name in ("clip-ft", "a-fairclip")}
    )
    table, compared, page = lambda_sweep.build(read_runs(tmp_path, grids), None, given)
    assert compared is None
    assert set(table["lam"]) == {"0", *strengths}
    assert set(table["attribute"]) == {"", "race"}
    assert page.count("A-FairCLIP (race, λ = 0.01)") == 2
    means = table[(table["metric"] == "race: exact distance") & (table["lam"] == "1")]
    groups = table[
        (table["measure"] == "distance_wasserstein") & (table["lam"] == "1") & (table["group"] != "")
    ]
    assert means["mean"].item() == pytest.approx(groups["mean"].mean())
    text = svg_of(tmp_path, table, lambda_sweep_figure.draw)
    assert all(label in text for label in ("CLIP-FT", "A-FairCLIP", "λ"))


def test_the_figures_show_every_method_and_are_the_same_every_time(records, tmp_path):
    rows = {
        "clip-ft": {"name": "CLIP-FT", "published": "CLIP-FT test-selected"},
        "fairclip-plus": ROWS["fairclip-plus"],
    }
    _, compared, _ = zero_shot.build(records, read_published(PUBLISHED, "zero-shot"), settings(rows=rows))
    labels = ["FairCLIP+ (race-gender)", "ViT-B/16", "published", "DPD (%) ↓", "hispanic"]
    text = svg_of(tmp_path, compared, metrics_figure.draw)
    assert all(label in text for label in labels)
    rows = {"clip": ROWS["clip"], "fairclip-plus": ROWS["fairclip-plus"]}
    published = read_published(PUBLISHED, "table5")
    _, compared, _ = distances.build(records, published, settings(rows=rows))
    text = svg_of(tmp_path, compared, distances_figure.draw)
    assert all(label in text for label in ("CLIP", "diag(LL):", "published"))


def test_one_file_has_both_table_5s(records, tmp_path):
    _, compared, _ = distances.build(records, read_published(PUBLISHED, "table5"), settings())
    fairclip, m4 = tmp_path / "fairclip.csv", tmp_path / "m4.csv"
    write_comparison(fairclip, compared, "synthetic")
    entry = {
        "task": "adult",
        "row": "m4",
        "metric": "DP",
        "mean": 5.0,
        "std": 1.2,
        "n": 10,
        "verdict": "differs",
    }
    write_comparison(m4, pd.DataFrame([entry]), "real")
    table = gather_table5({"m4": str(m4), "fairclip": str(fairclip)}, "paper")
    assert list(table.columns[:6]) == ["study", "paper", "data", "task", "encoder", "row"]
    assert table["paper"].value_counts().to_dict() == {"fairclip": len(compared), "m4": 1}
    assert table[["study", "row", "metric", "unit", "mean", "n", "verdict"]].notna().all(axis=None)
    assert table.groupby("paper")["data"].unique().explode().to_dict() == {
        "fairclip": "synthetic",
        "m4": "real",
    }
    assert table.loc[0, "unit"] == "%"
    assert np.isnan(table.loc[0, "published_mean"])
    assert set(table.loc[1:, "encoder"]) == {"ViT-B/16"}
