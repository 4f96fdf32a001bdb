"""Error bars within the bounds of a metric, and notes."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note, bounded_bars, explain_arrows
from clipfair.tables.common.metric_name import MetricName
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.m4.metric_names import NAMES


@pytest.mark.parametrize(
    ("name", "mean", "deviation", "below", "above"),
    [
        (MetricName("share"), 98.0, 5.0, 5, 2),
        (MetricName("share"), 3.0, 5.0, 3, 5),
        (MetricName("share", ""), 0.5, 0.8, 0.5, 0.5),
        (MetricName("signed", "", low=-1), -0.9, 0.3, 0.1, 0.3),
        (MetricName("loss", "nats", high=None), 0.1, 0.4, 0.1, 0.4),
        (MetricName("free", "", low=None, high=None), -3.0, 2.0, 2, 2),
        (MetricName("share"), 50.0, float("nan"), 0, 0),
        (MetricName("share"), 100.0 + 1e-12, 1.0, 1, 0),  # rounding beyond the bound
    ],
)
def test_bars_end_at_the_bounds(name, mean, deviation, below, above):
    bars = bounded_bars(pd.Series([mean]), pd.Series([deviation]), name)
    assert bars.ravel().tolist() == pytest.approx([below, above])


def test_arrows_are_explained_once_and_only_those_that_are_used():
    names = [MEASURES["auc"], MEASURES["es_auc"], MEASURES["dpd"], MEASURES["selection_rate"]]
    assert explain_arrows(names) == "↑ higher is better, ↓ lower is better."
    assert explain_arrows([NAMES["parity_mean"]]) == "→0 closer to 0 is better."
    assert explain_arrows([MEASURES["selection_rate"]]) == ""
    assert MEASURES["dpd"].directed == "DPD (%) ↓"
    assert MEASURES["selection_rate"].directed == "selection rate (%)"


def test_a_note_is_wrapped_to_the_width_of_its_figure():
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots()
    add_note(figure, "Bars: one.", "", "word " * 40)
    [line] = figure.findobj(lambda part: getattr(part, "get_text", str)().startswith("Bars"))
    figure.draw_without_rendering()
    extent = line.get_window_extent()
    assert 0 <= extent.x0 < extent.x1 <= figure.bbox.width
    assert line.get_text().count("\n") >= 2
