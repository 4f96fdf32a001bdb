"""Figures 6, 12 and 17 to 20 of CLIP the Bias on synthetic records with known effects."""

import pandas as pd
import pytest

from clipfair.tables.m4 import (
    quality,
    quality_figure,
)
from tests.unit.tables.drawing import read_back, texts_of
from tests.unit.tables.m4.synthetic_records import CONDITIONS, SWEEP, settings_of


def test_quality_is_that_of_the_last_checkpoint_by_group(sweep, tmp_path):
    given = settings_of(
        "figure20",
        SWEEP,
        shown={"faces": "FairFace", "scenes": "MIAP"},
        metrics=["gender_log_loss"],
        groups=["man", "woman"],
    )
    table, _, page = quality.build(sweep, None, given)
    assert len(table) == 2 * 2 * 3 * 3
    own = sweep.query("evaluation == 'faces' and group == 'woman' and examples == 1000 and model == 'b16'")
    mean = own.loc[own["balance"] == "balanced", "value"].mean()
    cell = table.query(
        "panel == 'FairFace' and group == 'woman' and model == 'b16' and condition == 'balanced'"
    )
    assert cell["mean"].item() == pytest.approx(mean)
    assert "## log-loss (nats), woman" in page
    written = texts_of(quality_figure.draw(read_back(tmp_path, table)))
    assert {"FairFace, man", "MIAP, woman", "log-loss (nats) ↓", *CONDITIONS} <= written


def test_metrics_of_different_evaluations_have_their_own_panels(sweep, tmp_path):
    records = sweep[sweep["model"] == "b16"]
    recalls = ["image_to_text_recall_5", "text_to_image_recall_5"]
    given = settings_of(
        "figure6",
        {"b16": SWEEP["b16"]},
        shown={"zero": "Pets", "search": "COCO"},
        metrics=["accuracy", *recalls],
    )
    table, _, _ = quality.build(records, None, given)
    panels = table[["panel", "metric"]].drop_duplicates().values.tolist()
    assert panels == [["Pets", "accuracy"], *(["COCO", recall] for recall in recalls)]
    figure = quality_figure.draw(read_back(tmp_path, table))
    assert len(figure.axes) == 3
    assert not figure.legends  # one model: its conditions are along x


def test_classification_is_above_retrieval():
    """The grid of Figure 6: three datasets of zero-shot classification, two of retrieval either way."""
    shown = [(dataset, "accuracy") for dataset in ("ImageNet", "CIFAR-100", "Pets")]
    recalls = ("image_to_text_recall_5", "text_to_image_recall_5")
    shown += [(dataset, recall) for recall in recalls for dataset in ("COCO", "Flickr30k")]
    rows = [
        {"panel": panel, "metric": metric, "group": "all", "model": "b16", "model_label": "B/16"}
        | {"condition": condition, "mean": 0.5, "std": 0.01, "n": 3}
        for panel, metric in shown
        for condition in CONDITIONS
    ]
    figure = quality_figure.draw(pd.DataFrame(rows))
    figure.draw_without_rendering()
    places = {axis.get_title(): axis.get_subplotspec().rowspan.start for axis in figure.axes}

    assert places == {
        "ImageNet\nzero-shot accuracy ↑": 0,
        "CIFAR-100\nzero-shot accuracy ↑": 0,
        "Pets\nzero-shot accuracy ↑": 0,
        "COCO\nimage-to-text recall@5 ↑": 1,
        "Flickr30k\nimage-to-text recall@5 ↑": 1,
        "COCO\ntext-to-image recall@5 ↑": 1,
        "Flickr30k\ntext-to-image recall@5 ↑": 1,
    }
