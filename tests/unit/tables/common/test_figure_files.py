"""Figure files: marked with the kind of their data, larger by the strip of the mark alone."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from clipfair.tables.common.figure_files import STRIP, write_figure


@pytest.mark.parametrize(
    ("data", "text"), [("synthetic", "Synthetic data"), ("real, partial", "Real, partial data")]
)
def test_the_kind_of_data_is_written_above_the_figure(tmp_path, data, text):
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots().plot([0, 1], [1, 0])
    write_figure(figure, tmp_path / "figure.svg", tmp_path / "figure.png", data=data)
    assert (tmp_path / "figure.svg").read_text().count(f">{text}</text>") == 1
    with Image.open(tmp_path / "figure.png") as image:
        assert image.size == (3 * 200, pytest.approx((2 + STRIP) * 200, abs=1))
        strip = image.convert("L").crop((0, 0, image.width, round(STRIP * 200)))
        assert strip.getextrema()[0] < 128 < strip.getextrema()[1]


def test_the_strip_has_nothing_but_the_mark(tmp_path):
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots().plot([0, 1], [1, 0], label="a line")
    figure.legend(loc="outside upper right")
    write_figure(figure, tmp_path / "figure.png", data="real")
    with Image.open(tmp_path / "figure.png") as image:
        strip = image.convert("L").crop((image.width // 2, 0, image.width, round(STRIP * 200)))
        below = image.convert("L").crop((image.width // 2, round(STRIP * 200), image.width, 150))
    assert strip.getextrema() == (255, 255)
    assert below.getextrema()[0] < 128
