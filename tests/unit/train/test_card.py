"""Model card and training curves of a batch, from the files of its trainings."""

import json
from pathlib import Path

import pandas as pd
import pytest

from clipfair.train.card import model_card, title_of
from clipfair.train.curves import draw_curves
from clipfair.train.run import train


@pytest.fixture
def runs(request_of):
    """Two seeds of one setting, trained: their spec, log and epochs."""
    files = []
    for seed in (0, 3):
        request = request_of(f"seed{seed}", seed=seed, stages=[("balanced", 0.25), ("baseline", 0.75)])
        train(**request)
        out = request["out"]
        spec = json.loads(Path(out["spec"]).read_text())
        files.append((spec, pd.read_csv(out["log"]), pd.read_csv(out["epochs"])))
    return list(zip(*files, strict=True))


def test_a_card_has_seeds_stages_and_curves(runs):
    specs, _, _ = runs
    card = model_card(specs, curves="curves.png")
    assert card.startswith("# Model card: dataset web, balance b, model tiny, method clip\n")
    assert "- Seeds: 0, 3.\n" in card
    assert "Initial weights: random." in card
    assert "- Stage 1, condition `balanced`: 40 pairs, 3 steps, 0.6 passes.\n" in card
    assert "- 96 examples seen, in 12 steps.\n" in card
    assert "![training curves](curves.png)" in card


def test_curves_have_a_panel_per_quantity_and_a_line_per_seed(runs):
    specs, logs, epochs = runs
    figure = draw_curves(title_of(specs[0]["settings"]["run"]), [0, 3], logs, epochs)
    panels = {axis.get_title(): axis for axis in figure.axes}
    assert list(panels) == ["loss", "gradient norm", "learning rate", "temperature", "images per second"]
    for line, log in zip(panels["loss"].lines, logs, strict=True):
        assert line.get_xdata().tolist() == log["examples"].tolist()
        assert line.get_ydata().tolist() == log["loss"].tolist()
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["seed 0", "seed 3"]


def test_validated_epochs_have_a_panel_per_split(runs):
    _, logs, _ = runs
    rows = [
        (epoch, epoch * 40, split, "auc", 0.5 + 0.1 * epoch)
        for epoch in range(3)
        for split in ("test", "val")
    ]
    columns = ["epoch", "examples", "split", "metric", "value"]
    epochs = pd.DataFrame([*rows, (1, 40, "test", "accuracy", 0.9)], columns=columns)
    figure = draw_curves("title", [0], logs[:1], [epochs])
    panels = {axis.get_title(): axis for axis in figure.axes}
    assert list(panels)[-2:] == ["test AUC", "val AUC"]
    assert panels["test AUC"].lines[0].get_xdata().tolist() == [0, 40, 80]
    assert panels["test AUC"].lines[0].get_ydata().tolist() == pytest.approx([0.5, 0.6, 0.7])
