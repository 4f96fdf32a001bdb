"""Figures 2, 4, 13 and 15 of CLIP the Bias on synthetic records with known effects."""

import numpy as np
import pytest

from clipfair.metrics.statistics import signed_rank
from clipfair.tables.m4 import (
    data_size,
    data_size_figure,
)
from tests.unit.tables.drawing import read_back, texts_of
from tests.unit.tables.m4.synthetic_records import (
    ASSOCIATION_SETTINGS,
    CHECKPOINTS,
    CONDITIONS,
    PARITY_SETTINGS,
    SWEEP,
    grid,
    make_records,
    settings_of,
)


def test_every_checkpoint_is_a_point_with_its_deviation_over_seeds(sweep):
    table, compared, page = data_size.build(sweep, None, settings_of("figure2", SWEEP, **PARITY_SETTINGS))
    assert compared is None
    curves = table[table["part"] == "values"]
    assert len(curves) == 3 * 3 * len(CHECKPOINTS)
    point = curves.query("model == 's-384' and condition == 'proxies' and examples == 500").iloc[0]
    own = sweep.query("model == 's-384' and balance == 'proxies' and examples == 500")
    own = own.loc[own["metric"] == "parity_mean", "value"]
    assert point["mean"] == pytest.approx(own.mean())
    assert point["std"] == pytest.approx(own.std(ddof=1))
    assert point["n"] == 3
    assert "| S/32, r=384 |" in page


def test_p_values_are_of_pairs_matched_on_model_examples_and_seed(sweep):
    table, _, _ = data_size.build(sweep, None, settings_of("figure2", SWEEP, **PARITY_SETTINGS))
    tests = table[table["part"] == "tests"].set_index(["condition", "against"])
    key = ["model", "examples", "seed"]
    own = sweep[sweep["metric"] == "parity_mean"]
    one, other = (own[own["balance"] == name].set_index(key)["value"] for name in ("proxies", "balanced"))
    cell = tests.loc[("proxies", "balanced")]
    assert cell["p_value"] == signed_rank(one - other).p_value
    assert cell["pairs"] == 3 * len(CHECKPOINTS) * 3
    assert len(tests) == 6


def test_several_datasets_are_tested_apart_and_together(sweep):
    table, _, _ = data_size.build(sweep, None, settings_of("figure4", SWEEP, **ASSOCIATION_SETTINGS))
    tests = table[table["part"] == "tests"]
    pairs = tests.groupby("panel", sort=False)["pairs"].max()
    assert pairs.to_dict() == {"FairFace": 27, "MIAP": 27, "all": 54}


@pytest.mark.parametrize("entry", [PARITY_SETTINGS, ASSOCIATION_SETTINGS])
def test_the_figure_shows_models_conditions_and_p_values(sweep, entry, tmp_path):
    table, _, _ = data_size.build(sweep, None, settings_of("figure2", SWEEP, **entry))
    written = texts_of(data_size_figure.draw(read_back(tmp_path, table)))
    assert {"S/32, r=384", "B/16, r=768", "p-values", *CONDITIONS} <= written
    assert "1k" in written


def test_one_seed_and_one_checkpoint_can_be_drawn(tmp_path):
    grids = {"one": grid(CONDITIONS, ["s-384"], seeds=[0])}
    records = make_records(grids, checkpoints=(1000,))
    table, _, page = data_size.build(records, None, settings_of("figure2", grids, **PARITY_SETTINGS))
    assert table["std"].isna().all()
    assert "±" not in page.partition("| model |")[2]
    assert "examples seen" not in texts_of(data_size_figure.draw(read_back(tmp_path, table)))


def test_a_single_condition_has_no_tests(tmp_path):
    grids = {"one": grid(["baseline"], ["s-384"])}
    table, _, page = data_size.build(
        make_records(grids), None, settings_of("figure2", grids, **PARITY_SETTINGS)
    )
    assert set(table["part"]) == {"values"}
    assert "| S/32, r=384 |" in page
    assert "p-values" in texts_of(data_size_figure.draw(read_back(tmp_path, table)))


def test_a_value_that_is_undefined_is_left_out_of_its_pairs(sweep):
    damaged = sweep.copy()
    damaged.loc[(damaged["metric"] == "parity_mean") & (damaged["seed"] == 0), "value"] = np.nan
    table, _, _ = data_size.build(damaged, None, settings_of("figure2", SWEEP, **PARITY_SETTINGS))
    assert (table.loc[table["part"] == "values", "n"] == 2).all()
    assert (table.loc[table["part"] == "tests", "pairs"] == 18).all()
