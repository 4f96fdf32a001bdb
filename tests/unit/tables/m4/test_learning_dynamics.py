"""Figures 3, 5, 14 and 16 of CLIP the Bias on synthetic records with known effects."""

import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4 import learning_dynamics, learning_dynamics_figure
from tests.unit.tables.drawing import read_back, texts_of
from tests.unit.tables.m4.synthetic_records import (
    ASSOCIATION_SETTINGS,
    CHECKPOINTS,
    CONDITIONS,
    PARITY_SETTINGS,
    SCHEDULES,
    grid,
    make_records,
    settings_of,
)

STAGED = {"single": grid(CONDITIONS, ["s-384", "b16"]), "staged": grid(SCHEDULES, ["s-384"])}


@pytest.fixture(scope="module")
def staged():
    return make_records(STAGED)


def test_stages_lie_between_the_runs_of_one_stage(staged):
    given = settings_of("figure3", STAGED, intervention="proxies", **PARITY_SETTINGS)
    table, _, page = learning_dynamics.build(staged, None, given)
    first = table[table["order"] == "proxies first"]
    assert list(first["stage_1"]) == [0, 0.1, 0.9, 1]
    own = staged[(staged["metric"] == "parity_mean") & (staged["examples"] == CHECKPOINTS[-1])]
    own = own[own["model"] == "s-384"].groupby("balance")["value"].mean()
    at = dict(zip(first["stage_1"], first["mean"], strict=True))
    assert at[0] == pytest.approx(own["baseline"])
    assert at[0.9] == pytest.approx(own["proxies-90-baseline"])
    assert at[1] == pytest.approx(own["proxies"])
    assert "## ImageNet: baseline first" in page


def test_models_without_stages_are_not_shown(staged):
    given = settings_of("figure3", STAGED, intervention="proxies", **PARITY_SETTINGS)
    table, _, _ = learning_dynamics.build(staged, None, given)
    assert set(table["model"]) == {"s-384"}


def test_an_intervention_without_schedule_is_refused(staged):
    given = settings_of("figure3", STAGED, intervention="balanced", **PARITY_SETTINGS)
    with pytest.raises(UserError, match="no schedule of its grids has stages baseline and balanced"):
        learning_dynamics.build(staged, None, given)


def test_the_figure_of_stages_names_both_orders(staged, tmp_path):
    given = settings_of("figure5", STAGED, intervention="proxies", **ASSOCIATION_SETTINGS)
    table, _, _ = learning_dynamics.build(staged, None, given)
    written = texts_of(learning_dynamics_figure.draw(read_back(tmp_path, table)))
    assert {"proxies first", "baseline first", "examples in stage 1 (%)", "FairFace", "MIAP"} <= written
