"""Curves over the epochs and their rank correlations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clipfair.core.errors import UserError
from clipfair.tables.fairclip import (
    distance_vs_metrics,
    distance_vs_metrics_figure,
)
from clipfair.tables.fairclip.epochs import correlation_over_epochs
from tests.unit.tables.drawing import svg_of
from tests.unit.tables.fairclip.synthetic_records import (
    ROWS,
    grid,
    settings,
    write_epochs,
)


def test_rank_correlations_are_spearmans_over_the_epochs_of_each_run(records, epochs):
    rows = {name: ROWS[name] for name in ("clip-ft", "a-fairclip", "fairclip-plus")}
    given = settings("fairclip/epochs", rows=rows, epochs=epochs)
    table, compared, page = distance_vs_metrics.build(records, None, given)
    assert compared is None
    ranks = table[table["kind"] == "correlation"]
    [entry] = ranks[
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
    assert entry.mean == pytest.approx(np.mean(expected))
    assert entry.n == 3
    # A method for one attribute is shown on it, one for two on both, CLIP-FT on all.
    shown = ranks.groupby("row")["attribute"].agg(set).to_dict()
    assert shown["A-FairCLIP (gender)"] == {"gender"}
    assert shown["FairCLIP+ (race-gender)"] == {"race", "gender"}
    assert shown["CLIP-FT"] == {"race", "gender", "ethnicity", "language"}
    assert "| A-FairCLIP (gender) | gender |" in page


def test_curves_are_means_over_seeds_and_the_figure_shows_them(records, epochs, tmp_path):
    rows = {name: ROWS[name] for name in ("clip-ft", "fairclip-plus")}
    given = settings("fairclip/epochs", rows=rows, epochs=epochs)
    table, _, _ = distance_vs_metrics.build(records, None, given)
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
    text = svg_of(tmp_path, table, distance_vs_metrics_figure.draw)
    assert all(label in text for label in ("CLIP-FT", "FairCLIP+", "DEOdds (%)", "epoch", "exact, DPD"))


def test_few_epochs_have_curves_and_no_correlation(records, tmp_path):
    few = write_epochs(tmp_path, {"ft": grid(["clip-ft"])}, n=3)
    table, _, page = distance_vs_metrics.build(
        records, None, settings(rows={"clip-ft": ROWS["clip-ft"]}, epochs=few)
    )
    assert set(table["kind"]) == {"curve"}
    assert "the table has curves only" in page
    text = svg_of(tmp_path, table, distance_vs_metrics_figure.draw)
    assert "epoch" in text
    assert "rank correlation" not in text


def test_missing_epochs_are_one_clear_line(records, tmp_path):
    few = write_epochs(tmp_path, {"ft": grid(["clip-ft"])}, n=2)
    rows = {"clip-ft": ROWS["clip-ft"]}
    with pytest.raises(UserError, match=r"epochs.csv: no epochs on split train; name another split"):
        distance_vs_metrics.build(records, None, settings(rows=rows, epochs=few, split="train"))
    with pytest.raises(UserError, match=r"no epochs of its rows \(clip-ft\).*needs: \[epochs\]"):
        distance_vs_metrics.build(records, None, settings(rows=rows, epochs={}))


def test_a_rank_correlation_is_of_the_epochs_after_the_first_and_may_be_undefined():
    epochs = pd.Index(range(6), name="epoch")
    run = pd.DataFrame({"x": [9.0, 1, 2, 3, 4, 5], "y": [9.0, 5, 4, 3, 2, 1], "same": 5.0}, epochs)
    run["gap"] = run["x"].where(run.index != 2)
    assert correlation_over_epochs(run, "x", "y") == pytest.approx(-1)
    assert np.isnan(correlation_over_epochs(run, "x", "same"))
    assert np.isnan(correlation_over_epochs(run, "x", "gap"))
