"""The hyperparameter search, from its trials."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clipfair.console import UserError
from clipfair.tables.builders.fair_search import build
from clipfair.tables.figure_files import write_figure
from clipfair.tables.figures.fair_search import draw


@pytest.fixture
def trials(tmp_path):
    """Forty trials as Optuna tells them, some of which did not end."""
    rng = np.random.default_rng(3)
    lam, lr = 10 ** rng.uniform(-7, 0, 40), 10 ** rng.uniform(-8, -2, 40)
    value = 0.5 + 0.03 * np.log10(lr / 1e-8) + 0.005 * rng.standard_normal(40)
    frame = pd.DataFrame({"number": range(40), "value": value, "params_lam": lam, "params_lr": lr})
    frame["state"] = ["FAIL" if number % 9 == 4 else "COMPLETE" for number in range(40)]
    path = tmp_path / "trials.csv"
    frame.to_csv(path, index=False)
    return str(path), frame


def test_the_best_trial_is_the_best_of_those_that_ended(trials):
    path, frame = trials
    table, page = build({"sinkhorn": path})
    ended = frame[frame["state"] == "COMPLETE"]
    best = table[table["rank"] == 1]
    assert best["number"].item() == ended["value"].idxmax()
    assert table["rank"].notna().sum() == len(ended)
    assert table.loc[table["state"] == "FAIL", "value"].isna().all()
    assert f"| {ended['value'].idxmax()} | {100 * ended['value'].max():.2f} |" in page


def test_rank_correlations_are_of_the_trials_that_ended(trials):
    path, frame = trials
    _, page = build({"sinkhorn": path})
    ended = frame[frame["state"] == "COMPLETE"]
    rho = stats.spearmanr(ended["value"], ended["params_lr"]).statistic
    assert f"lr: {rho:+.3f}" in page
    assert "36 complete, 4 fail" in page


def test_what_is_wrong_with_a_search_is_one_line(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("number,value\n0,0.5\n")
    with pytest.raises(UserError, match=r"trials.csv: no column 'state'; run the search again"):
        build({"x": str(path)})
    path.write_text("number,state,value\n0,FAIL,\n")
    with pytest.raises(UserError, match=r"no trial has ended"):
        build({"x": str(path)})


def test_the_figure_is_the_same_every_time(trials, tmp_path):
    path, _ = trials
    table, _ = build({"sinkhorn": path, "laplacian": path})
    table.to_csv(tmp_path / "table.csv", index=False)
    for name in ("one.svg", "two.svg"):
        write_figure(tmp_path / name, draw(pd.read_csv(tmp_path / "table.csv")))
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    text = (tmp_path / "one.svg").read_text()
    assert all(label in text for label in ("laplacian", "learning rate", "best validation AUC (%)"))
