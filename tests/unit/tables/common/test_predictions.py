"""Published predictions: codes keep order and values; the lines of docs/predictions.md give the metrics."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance
from sklearn.metrics import roc_auc_score

from clipfair.core.errors import UserError
from clipfair.core.io import read_json
from clipfair.core.paths import ROOT, Run
from clipfair.evaluate.kinds.threshold_free import evaluate
from clipfair.evaluate.outputs import write_evaluation
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.tables.common.predictions import LEVELS, decode, encode, publish_predictions

PAGE = ROOT / "docs/predictions.md"
SETTINGS = {"kind": "threshold_free", "dataset": "fundus", "split": "test", "captions": "all"}
SETTINGS |= {"label": "glaucoma", "sensitive": ["race", "gender"]}
METHODS = ("clip-ft", "a-fairclip")

finite = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.integers(1, 60), elements=finite).map(np.float64))
def test_codes_keep_the_order_and_the_ties_and_values_up_to_half_a_step(values):
    codes, low, high = encode(values)
    np.testing.assert_array_equal(
        np.sign(codes[:, None].astype(int) - codes), np.sign(values[:, None] - values)
    )
    step = (high - low) / (LEVELS - len(np.unique(values)))
    assert decode(codes, low, high) == pytest.approx(values, abs=step * 0.5000001 + 1e-9)


def test_codes_use_all_levels_and_refuse_more_values():
    codes, low, high = encode(np.arange(LEVELS)[::-1] / 7)
    assert codes.tolist() == list(range(LEVELS))[::-1]
    assert decode(codes, low, high) is not None
    with pytest.raises(ValueError, match="65,537 different scores"):
        encode(np.arange(LEVELS + 1))


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def sample(n, rng):
    table = pd.DataFrame(
        {
            "key": [f"data_{i:05}" for i in range(n)],
            "glaucoma": rng.integers(0, 2, n),
            "race": pd.Categorical(rng.choice(["asian", "black", "white"], n)),
            "gender": pd.Categorical(rng.choice(["Female", "Male"], n)),
        }
    )
    images = rng.normal(size=(n, 4)) + 0.7 * table["glaucoma"].to_numpy()[:, None]
    return Sample(table, unit(images), np.empty((n, 0)))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folders of two batches of evaluations, with three seeds each, of one dataset for each seed."""
    folder = tmp_path_factory.mktemp("results")
    for place, method in enumerate(METHODS):
        for seed in (0, 2, 10):
            test, validation = (sample(n, np.random.default_rng([seed, n])) for n in (150, 60))
            rng = np.random.default_rng([place, seed, 9])
            texts = {"prompts": unit(rng.normal(size=(2, 4))), "captions": unit(rng.normal(size=(150, 4)))}
            embedded = Embedded(test, validation, texts, scale=100.0)
            write_evaluation(
                folder / method / f"seed~{seed}" / "on~worlds",
                {100: evaluate(embedded, SETTINGS, np.random.default_rng(0))},
                run=vars(Run("fundus", method=method, attr="race", lam="1", seed=seed)),
                evaluation="worlds",
                settings=SETTINGS,
                model_digest="m",
                data_digest=f"d{seed}",
            )
    publish_predictions([str(folder / method) for method in METHODS], str(folder / "predictions"))
    return folder


def metrics_of(results, method, seed):
    record = read_json(results / method / f"seed~{seed}" / "on~worlds" / "metrics.json")
    return {(row["metric"], row["label"]): row["value"] for row in record["rows"] if row["group"] is None}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, 2, 10])
def test_the_lines_of_the_page_give_the_metrics_of_the_evaluation(results, method, seed):
    [lines] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = {"np": np, "pd": pd, "roc_auc_score": roc_auc_score}
    names |= {"folder": results / "predictions", "chosen": f"method == '{method}' and seed == {seed}"}
    exec(lines, names)
    metrics = metrics_of(results, method, seed)
    for name in ("dpd", "matched_dpd", "auc_gap"):
        assert names[name] == pytest.approx(metrics[name, "race"], abs=1e-12), name


def test_scores_are_decoded_and_give_the_distances(results):
    runs = pd.read_csv(results / "predictions/runs.csv")
    run = runs.query("method == 'a-fairclip' and seed == 2").iloc[0]
    data = pd.read_parquet(results / "predictions" / run["file"])
    test = data["part"] == "test"
    own = pd.read_parquet(results / "predictions" / run["own_file"])
    assert own["key"].tolist() == data.loc[test, "key"].tolist()
    values = {
        "margin_w1": decode(data[run["margin"]], run["margin_low"], run["margin_high"])[test],
        "own_w1": decode(own[run["score"]], run["score_low"], run["score_high"]),
    }
    race = data.loc[test, "race"].to_numpy()
    for name, scores in values.items():
        found = sum(wasserstein_distance(scores[race == one], scores) for one in set(race))
        assert found == pytest.approx(metrics_of(results, "a-fairclip", 2)[name, "race"], rel=1e-4)
    margin = pd.read_parquet(results / "a-fairclip/seed~2/on~worlds/scores.parquet")["margin"]
    decoded = decode(data[run["margin"]], run["margin_low"], run["margin_high"])
    assert decoded == pytest.approx(margin, abs=float(np.ptp(margin)) / 1e5)


def test_runs_on_the_same_examples_share_a_file(results):
    runs = pd.read_csv(results / "predictions/runs.csv")
    assert runs[["seed", "file"]].drop_duplicates().set_index("seed")["file"].to_dict() == {
        0: "worlds-0.parquet",
        2: "worlds-1.parquet",
        10: "worlds-2.parquet",
    }
    assert sorted(path.name for path in (results / "predictions").iterdir()) == [
        "metrics.parquet",
        "runs.csv",
        "worlds-0-own.parquet",
        "worlds-0.parquet",
        "worlds-1-own.parquet",
        "worlds-1.parquet",
        "worlds-2-own.parquet",
        "worlds-2.parquet",
    ]
    assert runs[["margin", "method"]].drop_duplicates().set_index("method")["margin"].to_dict() == {
        "clip-ft": "margin_0",
        "a-fairclip": "margin_1",
    }


def test_the_metrics_of_all_runs_are_those_of_their_records(results):
    runs = pd.read_csv(results / "predictions/runs.csv")
    published = pd.read_parquet(results / "predictions/metrics.parquet")
    assert set(published["run"]) == set(runs.index)
    for number, run in runs.iterrows():
        of_run = published[(published["run"] == number) & published["group"].isna()]
        found = {
            (metric, None if pd.isna(label) else label): value
            for metric, label, value in zip(of_run["metric"], of_run["label"], of_run["value"], strict=True)
        }
        assert found == metrics_of(results, run["method"], run["seed"])


def test_missing_scores_are_reported(results, tmp_path):
    folder = tmp_path / "seed~0" / "on~worlds"
    folder.mkdir(parents=True)
    source = results / "clip-ft/seed~0/on~worlds/metrics.json"
    (folder / "metrics.json").write_text(source.read_text())
    with pytest.raises(UserError, match=r"scores\.parquet: not there"):
        publish_predictions([str(tmp_path)], str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_run_takes_little_more_than_two_bytes_for_each_score(results, tmp_path):
    scores = pd.read_parquet(results / "clip-ft/seed~0/on~worlds/scores.parquet")
    scores = pd.concat([scores] * 20, ignore_index=True)
    for number in range(20):
        folder = tmp_path / f"runs/seed~{number}/on~worlds"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(number)
        drawn = scores["score"].where(scores["score"].isna(), rng.normal(size=len(scores)))
        scores.assign(margin=rng.normal(size=len(scores)), score=drawn).to_parquet(folder / "scores.parquet")
        (folder / "metrics.json").write_text((results / "clip-ft/seed~0/on~worlds/metrics.json").read_text())
    publish_predictions([str(tmp_path / "runs")], str(tmp_path / "out"))
    size = sum(path.stat().st_size for path in (tmp_path / "out").glob("worlds-0*.parquet"))
    assert size / 20 < 2.5 * scores[["margin", "score"]].count().sum()
