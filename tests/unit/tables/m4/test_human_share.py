"""Figure 11 of CLIP the Bias on synthetic records with known effects."""

import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4 import human_share, human_share_figure
from tests.unit.tables.drawing import read_back, texts_of
from tests.unit.tables.m4.synthetic_records import grid, make_records, settings_of


def test_quality_follows_the_share_of_humans(tmp_path):
    shares = {"baseline": 1.0, "drop-human": 0.0}
    grids = {"humans": grid(shares, ["s-384"])}
    given = settings_of("figure11", grids, shown={"zero": "Pets"}, metrics=["accuracy"], human_shares=shares)
    records = make_records(grids, noise=0)
    table, _, page = human_share.build(records, None, given)
    assert dict(zip(table["human_share"], table["mean"], strict=True)) == pytest.approx({1: 0.5, 0: 0.53})
    assert "| Pets | zero-shot accuracy (%) | S/32, r=384 | 50.0 ± 0.0 | 53.0 ± 0.0 |" in page
    assert "human examples kept (%)" in texts_of(human_share_figure.draw(read_back(tmp_path, table)))


def test_a_condition_without_share_of_humans_is_refused():
    grids = {"humans": grid(["baseline", "drop-human"], ["s-384"])}
    given = settings_of(
        "figure11", grids, shown={"zero": "Pets"}, metrics=["accuracy"], human_shares={"baseline": 1}
    )
    with pytest.raises(UserError, match="no share of human examples of drop-human"):
        human_share.build(make_records(grids), None, given)
