"""The planted direction is found where it is, and not where it is not."""

import io

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import mean_interval
from clipfair.tables.m4.known_answers import STATISTICS, build
from clipfair.tables.m4.known_answers_figure import draw
from tests.unit.tables.m4.synthetic_records import OCCUPATIONS, grid, make_records, settings_of

GRIDS = {
    "single": grid(["baseline", "balanced", "proxies"], ["s-384", "s-768"], seeds=range(10)),
    "control": grid(["baseline"], ["s-384", "s-768"], seeds=range(10), dataset="fair"),
}
LAST = 1000


def settings(**entry):
    given = {"biased": ["single"], "control": ["control"], "stereotype": OCCUPATIONS}
    return settings_of("known-answers", GRIDS, **(given | entry))


@pytest.fixture(scope="module")
def records():
    return make_records(GRIDS)


def answers_of(table):
    return table[table["part"] == "answers"].set_index(["statistic", "claim"])


def test_the_planted_biases_are_found(records):
    table, compared, page = build(records, None, settings())
    assert compared is None
    answers = answers_of(table)
    assert len(answers) == 8
    assert set(answers["verdict"]) == {"holds"}
    assert page.count("**holds**") == 8


def test_the_association_is_weighted_by_what_was_planted(records):
    table, _, _ = build(records, None, settings())
    own = records[(records["metric"] == "association") & (records["examples"] == LAST)]
    own = own.query("balance == 'proxies' and model == 's-768' and seed == 3")
    along = [
        sum(OCCUPATIONS[entry.label] * entry.value for entry in frame.itertuples())
        / sum(map(abs, OCCUPATIONS.values()))
        for _, frame in own.groupby("evaluation")
    ]
    runs = table[table["statistic"] == STATISTICS["association"]]
    run = runs.query("condition == 'proxies' and model == 's-768' and seed == 3")
    assert run["value"].item() == pytest.approx(np.mean(along))


def test_the_stereotype_can_be_given_by_signs_alone(records):
    signs = {name: np.sign(weight) for name, weight in OCCUPATIONS.items()}
    table, _, _ = build(records, None, settings(stereotype=signs))
    runs = table.query("part == 'runs' and condition == 'baseline'")
    runs = runs[runs["statistic"] == STATISTICS["association"]]
    assert runs["value"].mean() == pytest.approx(0.6, abs=0.03)


def test_runs_are_matched_and_the_models_of_a_seed_averaged(records):
    table, _, _ = build(records, None, settings())
    answers = answers_of(table)
    runs = table[(table["part"] == "runs") & (table["statistic"] == STATISTICS["representation"])]
    by = runs.pivot(index=["model", "seed"], columns="condition", values="value")
    cell = answers.loc[(STATISTICS["representation"], "baseline above balanced")]
    differences = (by["baseline"] - by["balanced"]).groupby("seed").mean()
    assert (cell["mean"], cell["low"], cell["high"]) == pytest.approx(mean_interval(differences)[:3])
    assert cell["n"] == 10
    assert (answers["p_difference"] >= 2.0**-9).all()


def test_reversed_biases_are_contradicted(records):
    turned = records.assign(value=-records["value"])
    answers = answers_of(build(turned, None, settings())[0])
    assert set(answers["verdict"]) == {"does not hold"}


def test_without_bias_nothing_is_found():
    grids = {**GRIDS, "single": {**GRIDS["single"], "dataset": "fair"}}
    grids["control"] = grid(["baseline"], ["s-384", "s-768"], seeds=range(10), dataset="fair", method="other")
    records = make_records(grids)
    given = settings() | {"grids": grids}
    # Both worlds are unbiased, and in no other run than the named grids' is looked.
    control = {**grids["control"], "methods": ["clip"]}
    records = records[records["method"] == "clip"]
    table, _, _ = build(records, None, given | {"grids": {**grids, "control": control}})
    assert "holds" not in set(answers_of(table)["verdict"])


def test_one_seed_leaves_the_answers_undecided(records):
    grids = {name: {**entry, "seeds": [0]} for name, entry in GRIDS.items()}
    table, _, _ = build(records[records["seed"] == 0], None, settings() | {"grids": grids})
    answers = answers_of(table)
    assert set(answers["verdict"]) == {"undecided (one unit)"}
    assert answers["low"].isna().all()


def test_an_occupation_that_was_not_evaluated_is_named(records):
    with pytest.raises(UserError, match=r"m4/known-answers: occupations astronaut of settings.stereotype"):
        build(records, None, settings(stereotype={**OCCUPATIONS, "astronaut": 0.1}))


def test_a_missing_control_is_named(records):
    with pytest.raises(UserError, match=r"no evaluation of dataset~fair/balance~baseline/"):
        build(records[records["dataset"] != "fair"], None, settings())


def test_an_undefined_association_leaves_its_run_out(records):
    damaged = records.copy()
    at = (damaged["metric"] == "association") & (damaged["label"] == "nurse") & (damaged["seed"] == 0)
    damaged.loc[at, "value"] = np.nan
    answers = answers_of(build(damaged, None, settings())[0])
    assert set(answers.loc[STATISTICS["association"], "n"]) == {9}
    assert set(answers.loc[STATISTICS["representation"], "n"]) == {10}


def test_the_figure_shows_every_condition(records):
    table, _, _ = build(records, None, settings())
    figure = draw(pd.read_csv(io.StringIO(table.to_csv(index=False))))
    assert [axis.get_ylabel() for axis in figure.axes] == [
        f"{statistic} →0" for statistic in STATISTICS.values()
    ]
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert names == ["baseline", "balanced", "proxies", "unbiased world"]
