"""Published models: each value as it was evaluated, with its interval, by model and dataset."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4 import published_models, published_models_figure
from tests.unit.tables.drawing import cut_off, read_back, texts_of
from tests.unit.tables.m4 import synthetic_records
from tests.unit.tables.m4.synthetic_records import grid, make_records, settings_of

GRID = {"as-they-are": grid(["none"], ["s-384", "b16"], seeds=[0], dataset="none", method="zero-shot")}
NAMES = {"s-384": "ViT-S/32, small data", "b16": "ViT-B/16"}


@pytest.fixture
def records(monkeypatch):
    for effects in (synthetic_records.PARITY, synthetic_records.ASSOCIATION, synthetic_records.QUALITY):
        monkeypatch.setitem(effects, "none", 0.2)
    made = make_records(GRID, checkpoints=(0, 1))
    return made[made["examples"] == 1]


def settings(**own):
    return settings_of("published", GRID, encoders=NAMES, **own)


def test_a_cell_is_the_evaluated_value_with_its_interval(records, tmp_path):
    shown = {"faces": "FairFace", "scenes": "MIAP"}
    table, none, page = published_models.build(
        records, None, settings(shown=shown, metrics=["association_mean", "gender_log_loss"])
    )
    assert none is None
    assert len(table) == 2 * 2 * 2
    own = records.query("evaluation == 'scenes' and metric == 'association_mean' and model == 'b16'")
    cell = table.query("panel == 'MIAP' and metric == 'association_mean' and model_label == 'ViT-B/16'")
    for column in ("value", "low", "high", "n"):
        assert cell[column].item() == own[column].item()
    value, low, high = (own[column].item() for column in ("value", "low", "high"))
    assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in page
    figure = published_models_figure.draw(read_back(tmp_path, table))
    assert len(figure.axes) == 4
    assert {"FairFace", "MIAP", *NAMES.values()} <= texts_of(figure)
    assert not cut_off(figure)


def test_shares_are_printed_in_percent_and_groups_apart(records):
    _, _, page = published_models.build(records, None, settings(shown={"zero": "Pets"}, metrics=["accuracy"]))
    value = records.query("evaluation == 'zero' and model == 's-384'")["value"].item()
    assert f"| ViT-S/32, small data | {100 * value:.1f} [" in page
    by_group = settings(shown={"faces": "FairFace"}, metrics=["gender_log_loss"], groups=["man", "woman"])
    table, _, page = published_models.build(records, None, by_group)
    assert set(table["group"]) == {"man", "woman"}
    assert "## log-loss (nats), woman" in page


def test_a_model_with_two_values_is_refused(records):
    twice = pd.concat([records, records.assign(seed=1)], ignore_index=True)
    with pytest.raises(UserError, match="model s-384 has several values of association_mean; give its grid"):
        published_models.build(
            twice, None, settings(shown={"faces": "FairFace"}, metrics=["association_mean"])
        )
