"""The hyperparameter search, from its trials."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clipfair.core.errors import UserError
from clipfair.tables.fairclip.search import build
from clipfair.tables.fairclip.search_figure import draw
from tests.unit.tables.drawing import svg_of


@pytest.fixture
def trials(tmp_path):
    """Forty trials as the search writes them, some of which have no value."""
    rng = np.random.default_rng(3)
    lam, lr = 10 ** rng.uniform(-7, 0, 40), 10 ** rng.uniform(-8, -2, 40)
    value = 0.5 + 0.03 * np.log10(lr / 1e-8) + 0.005 * rng.standard_normal(40)
    frame = pd.DataFrame({"trial": range(40), "fairness.lam": lam, "recipe.learning_rate": lr})
    frame["value"] = value
    diverged = frame["trial"] % 9 == 4
    frame = frame.assign(value=frame["value"].mask(diverged), reason=np.where(diverged, "diverged", None))
    path = tmp_path / "trials.csv"
    frame.to_csv(path, index=False)
    return str(path), frame


def test_the_best_trial_is_the_best_of_those_with_a_value(trials):
    path, frame = trials
    table, page = build({"sinkhorn": path})
    best = table[table["rank"] == 1]
    assert best["trial"].item() == frame["value"].idxmax()
    assert table["rank"].notna().sum() == frame["value"].notna().sum() == 36
    assert f"| {frame['value'].idxmax()} | {100 * frame['value'].max():.2f} |" in page
    assert "40 trials, 4 without a value" in page


def test_rank_correlations_are_of_the_trials_with_a_value(trials):
    path, frame = trials
    _, page = build({"sinkhorn": path})
    ended = frame.dropna(subset=["value"])
    rho = stats.spearmanr(ended["value"], ended["recipe.learning_rate"]).statistic
    assert f"recipe.learning_rate: {rho:+.3f}" in page


def test_searches_of_different_settings_are_in_one_table(trials, tmp_path):
    path, frame = trials
    frame.drop(columns="fairness.lam").to_csv(tmp_path / "lr.csv", index=False)
    table, page = build({"both": path, "lr": str(tmp_path / "lr.csv")})
    assert table.groupby("search")["fairness.lam"].count().to_dict() == {"both": 40, "lr": 0}
    assert page.count("fairness.lam: ") == 1


def test_a_wrong_search_is_one_line(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("trial,value\n0,0.5\n")
    with pytest.raises(UserError, match=r"trials.csv: no column 'reason'; run the search 'x' again"):
        build({"x": str(path)})
    path.write_text("trial,lam,value,reason\n0,1,,diverged\n")
    with pytest.raises(UserError, match=r"no trial has a value"):
        build({"x": str(path)})


def test_the_figure_is_the_same_every_time(trials, tmp_path):
    path, _ = trials
    table, _ = build({"sinkhorn": path, "laplacian": path})
    text = svg_of(tmp_path, table, draw)
    assert all(label in text for label in ("laplacian", "learning rate", "best validation AUC (%)"))
