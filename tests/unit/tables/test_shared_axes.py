"""No figure whose panels share an axis cuts off data, also if they lie on both sides of zero."""

import re
from importlib import import_module
from itertools import product

import numpy as np
import pandas as pd
import pytest

from tests.repository import ROOT
from tests.unit.tables.drawing import cut_off, read_back

# Panels on both sides of zero, and panels with data on both sides.
CENTRES = (0.01, -0.9, 0.9, -0.05)
SIZES = (0.05, 0.9, 0.1, 0.4)
PANELS = ("one", "two", "three", "four")


def data_size(panels):
    """Bias over the examples seen: each model in a panel, with one or several datasets."""
    rows = [
        {"part": "values", "panel": panel, "metric": "parity_mean", "model_label": model}
        | {"condition": condition, "examples": examples, "mean": size * (examples - 625) / 375, "std": 0.02}
        for panel in panels
        for model, size in zip(PANELS, SIZES, strict=True)
        for condition in ("baseline", "proxies")
        for examples in (250, 1000)
    ]
    tests = [
        {"part": "tests", "panel": panel, "condition": "proxies", "against": "baseline", "p_value": 0.01}
        for panel in panels
    ]
    return pd.DataFrame([*rows, *tests])


def learning_dynamics():
    rows = [
        {"panel": "ImageNet", "order": order, "model_label": model, "metric": "parity_mean"}
        | {"stage_1": stage, "mean": size * scale * (2 * stage - 1), "std": 0.02}
        for order, scale in (("first", 0.1), ("second", 1))
        for model, size in zip(PANELS, SIZES, strict=True)
        for stage in (0, 0.1, 0.9, 1)
    ]
    return pd.DataFrame(rows)


def object_labels():
    shares = np.linspace(0.01, 0.6, len(PANELS))
    frame = pd.DataFrame({"label": PANELS, "share_before": shares, "share_after": shares[::-1]})
    return frame.assign(relative_change=CENTRES)


def search():
    rows = [
        {
            "search": name,
            "value": value,
            "rank": rank,
            "fairness.lam": 10.0**rank,
            "recipe.learning_rate": 1e-5,
        }
        for name in ("first", "second")
        for rank, value in enumerate((0.9, 0.5, 0.1), start=1)
    ]
    return pd.DataFrame(rows)


def switches():
    rows = [
        {"row": row, "encoder": "B", "measure": measure, "metric": measure, "unit": "points"}
        | {"difference": 100 * centre, "low": 100 * centre - 5, "high": 100 * centre + 5, "p_holm": 0.01}
        for measure, centre in zip(("auc", "dpd", "selection_rate", "accuracy"), CENTRES, strict=True)
        for row in ("switched", "corrected")
    ]
    return pd.DataFrame(rows)


def distance_vs_metrics():
    common = {"encoder": "B", "method": "clip-ft", "row": "CLIP-FT"}
    curves = [
        common
        | {"kind": "curve", "attribute": attribute, "measure": measure, "epoch": epoch, "std": 0.02}
        | {"mean": centre * epoch if measure == "dpd" else 10.0 ** (10 * centre)}
        for attribute, centre in zip(PANELS, CENTRES, strict=True)
        for measure in ("distance_wasserstein", "dpd")
        for epoch in (1, 2, 3)
    ]
    ranks = [
        common
        | {"kind": "correlation", "attribute": attribute, "distance": "distance_wasserstein"}
        | {"measure": "dpd", "mean": centre, "low": max(centre - 0.3, -1), "high": min(centre + 0.3, 1)}
        for attribute, centre in zip(PANELS, CENTRES, strict=True)
    ]
    return pd.DataFrame([*curves, *ranks])


def attribute_distributions():
    rows = [
        {"dataset": dataset, "attribute": attribute, "group": group, "split": split, "label": "glaucoma"}
        | {"share": share, "positive": 1 - share}
        for dataset, (attribute, share), group, split in product(
            ("one", "two"), (("race", 0.1), ("gender", 0.9)), ("a", "b"), ("train", "test")
        )
    ]
    return pd.DataFrame(rows)


def published_models():
    rows = [
        {"panel": panel, "metric": "parity_mean", "group": "all", "model_label": model}
        | {"value": centre * scale, "low": centre * scale - 0.05, "high": centre * scale + 0.05}
        for panel, scale in zip(PANELS, (1, 0.1, -1, 0.5), strict=True)
        for model, centre in zip(PANELS, CENTRES, strict=True)
    ]
    return pd.DataFrame(rows)


FIGURES = [
    ("m4.data_size", data_size(["ImageNet"])),
    ("m4.data_size", data_size(["FairFace", "MIAP"])),
    ("m4.learning_dynamics", learning_dynamics()),
    ("m4.object_labels", object_labels()),
    ("m4.published_models", published_models()),
    ("fairclip.search", search()),
    ("fairclip.switches", switches()),
    ("fairclip.distance_vs_metrics", distance_vs_metrics()),
    ("fairclip.attribute_distributions", attribute_distributions()),
]


@pytest.mark.parametrize(("module", "table"), FIGURES)
def test_no_data_are_cut_off(module, table, tmp_path):
    draw = import_module(f"clipfair.tables.{module}_figure").draw
    assert cut_off(draw(read_back(tmp_path, table))) == []


def test_every_figure_with_shared_axes_is_drawn_here():
    tables = ROOT / "src/clipfair/tables"
    sharing = {
        f"{path.parent.name}.{path.stem.removesuffix('_figure')}"
        for path in tables.glob("*/*_figure.py")
        if re.search(r"share[xy]", path.read_text(encoding="utf-8"))
    }
    assert sharing == {module for module, _ in FIGURES}


def test_data_beyond_the_limits_are_noticed():
    draw = import_module("clipfair.tables.m4.data_size_figure").draw
    figure = draw(data_size(["ImageNet"]))
    figure.axes[0].set_ylim(-0.5, 0.5)
    assert len(cut_off(figure)) > 0
