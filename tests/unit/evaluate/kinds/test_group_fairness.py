import numpy as np
import pandas as pd
import pytest
import torch
from geomloss import SamplesLoss

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds.group_fairness import evaluate
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.metrics.evaluated_distances import named_distances
from clipfair.metrics.fairness import COMPARISONS
from clipfair.metrics.score_distances import measure_distances
from clipfair.metrics.scores import make_scores, measure_scores

SETTINGS = {
    "label": "glaucoma",
    "sensitive": ["race", "gender"],
    "distances": named_distances(["sinkhorn", "wasserstein", "scale_free"]),
}


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def made(n=80, **other):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "key": [f"data_{i:05}" for i in range(n)],
            "glaucoma": rng.integers(0, 2, n),
            "race": pd.Categorical(rng.choice(["asian", "black", "white"], n)),
            "gender": pd.Categorical(rng.choice(["Female", "Male"], n)),
        }
    )
    texts = {"prompts": unit(rng.normal(size=(2, 4))), "captions": unit(rng.normal(size=(n, 4)))}
    images = unit(rng.normal(size=(n, 4)))
    sample = Sample(table, images, np.empty((n, 0)))
    return Embedded(**{"test": sample, "support": None, "texts": texts, "scale": 100.0, **other})


def run(embedded, **settings):
    return evaluate(embedded, {**SETTINGS, **settings}, np.random.default_rng(0))


def half_squared_wasserstein(x, y):
    """Both samples repeated to one length: then sorted values are paired."""
    x, y = np.sort(np.repeat(x, len(y))), np.sort(np.repeat(y, len(x)))
    return np.mean((x - y) ** 2) / 2


def by_name(rows):
    return {(measure.metric, measure.label, measure.group): measure for measure in rows}


def test_the_measures_are_those_of_the_protocol():
    rows = by_name(run(made()).measures)
    overall = {("auc", None, None), ("accuracy", None, None), ("selection_rate", None, None)}
    attributes = {(metric, name, None) for metric in COMPARISONS for name in SETTINGS["sensitive"]}
    of_group = ("auc", "accuracy", "selection_rate")
    of_group += ("distance_sinkhorn", "distance_wasserstein", "distance_scale_free")
    groups = [
        ("race", "asian"),
        ("race", "black"),
        ("race", "white"),
        ("gender", "Female"),
        ("gender", "Male"),
    ]
    assert set(rows) == overall | attributes | {(metric, *group) for metric in of_group for group in groups}
    assert rows["auc", None, None].n == 80
    assert rows["auc", None, None].low < rows["auc", None, None].value < rows["auc", None, None].high


def test_the_probability_is_a_softmax_of_two_plain_cosines():
    embedded = made()
    scores = run(embedded).scores
    cosines = embedded.test.images @ embedded.texts["prompts"].T
    expected = np.exp(cosines[:, 1]) / np.exp(cosines).sum(axis=1)
    assert scores["p"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert (scores["prediction"] == (expected >= 0.5)).all()


def test_the_score_is_the_diagonal_of_the_logits():
    embedded = made()
    result = run(embedded)
    expected = np.diag(100 * embedded.test.images @ embedded.texts["captions"].T)
    assert result.scores["score"].to_numpy() == pytest.approx(expected, rel=1e-5)
    asian = result.scores["race"] == "asian"
    distance = by_name(result.measures)["distance_wasserstein", "race", "asian"]
    score = result.scores["score"]
    assert distance.value == pytest.approx(half_squared_wasserstein(score[asian], score), rel=1e-4)
    assert distance.n == asian.sum()
    scale_free = by_name(result.measures)["distance_scale_free", "race", "asian"].value
    assert scale_free == pytest.approx(distance.value / np.var(score), rel=1e-4)


def test_the_released_score_is_the_diagonal_of_the_squared_logits_in_batches_of_32():
    embedded = made(n=80)
    result = run(embedded, sensitive=["race"], distances=named_distances(["square_wasserstein"]))
    expected = []
    for rows in (slice(0, 32), slice(32, 64), slice(64, 80)):
        logits = 100 * embedded.test.images[rows].astype(float) @ embedded.texts["captions"][rows].T
        expected += list(np.diag(logits @ logits))
    score = result.scores["score_square"].to_numpy()
    assert score == pytest.approx(expected, rel=1e-5)
    black = (result.scores["race"] == "black").to_numpy()
    found = by_name(result.measures)["distance_square_wasserstein", "race", "black"].value
    assert found == pytest.approx(half_squared_wasserstein(score[black], score), rel=1e-4)
    assert "score_square" not in run(embedded).scores


def test_the_distance_as_released_is_geomloss_with_its_settings():
    result = run(made(), sensitive=["race"], distances=named_distances(["sinkhorn"]))
    score = torch.tensor(result.scores["score"].to_numpy())[:, None]
    black = score[(result.scores["race"] == "black").to_list()]
    loss = SamplesLoss("sinkhorn", p=2, blur=1e-4, diameter=2, scaling=0.95, backend="tensorized")
    found = by_name(result.measures)["distance_sinkhorn", "race", "black"].value
    assert found == pytest.approx(float(loss(score, black)), rel=1e-3)


def test_everything_can_be_recomputed_from_the_scores_file(tmp_path):
    result = run(made())
    result.scores.to_parquet(tmp_path / "scores.parquet")
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    sensitive = SETTINGS["sensitive"]
    again = [
        *measure_scores(scores, sensitive=sensitive, rng=np.random.default_rng(0)),
        *measure_distances(scores, sensitive=sensitive, distances=SETTINGS["distances"]),
    ]
    assert again == list(result.measures)


def test_a_positive_value_makes_a_label():
    embedded = made()
    named = run(embedded, label="gender", positive="Male", sensitive=["race"], distances={})
    assert (named.scores["label"] == (embedded.test.table["gender"] == "Male")).all()
    assert "score" not in named.scores


def test_a_group_without_examples_is_undefined_with_a_reason():
    embedded = made()
    embedded.test.table["race"] = embedded.test.table["race"].cat.add_categories("other")
    rows = by_name(run(embedded).measures)
    for metric in ("auc", "accuracy", "distance_sinkhorn", "distance_scale_free"):
        assert rows[metric, "race", "other"].reason == "race other: no example"
    assert rows["dpd", "race", None].value is None


def test_equal_scores_have_no_scale_free_distance():
    embedded = made()
    same = np.tile(embedded.test.images[:1], (80, 1))
    constant = Embedded(
        Sample(embedded.test.table, same, np.empty((80, 0))),
        None,
        {"prompts": embedded.texts["prompts"], "captions": same},
        scale=100.0,
    )
    rows = by_name(run(constant).measures)
    assert rows["distance_scale_free", "race", "asian"].reason == "all scores are equal"
    assert rows["distance_wasserstein", "race", "asian"].value == 0
    assert rows["dpd", "race", None].value == 0


def test_wrong_settings_are_errors_of_one_line():
    embedded = made()
    with pytest.raises(UserError, match="no column 'age'"):
        run(embedded, sensitive=["age"])
    with pytest.raises(UserError, match="is not 0 and 1; name the value"):
        run(embedded, label="race")
    with pytest.raises(UserError, match="one text of each example's own, found no captions"):
        run(made(texts={"prompts": embedded.texts["prompts"]}))
    with pytest.raises(UserError, match="found 79 for 80 examples"):
        run(made(texts={**embedded.texts, "captions": embedded.texts["captions"][1:]}))
    with pytest.raises(UserError, match="unknown distance 'manhattan'; known: energy, gaussian"):
        run(embedded, distances={"distance_mine": {"kind": "manhattan"}})
    with pytest.raises(UserError, match="expected two prompts"):
        run(made(texts={**embedded.texts, "prompts": embedded.texts["prompts"][:1]}))
    with pytest.raises(UserError, match="not finite"):
        make_scores(embedded.test.table, np.full(80, np.nan), labels=np.zeros(80), sensitive=[])


def test_a_distance_of_ones_own_is_evaluated(tmp_path, monkeypatch):
    (tmp_path / "own_distances.py").write_text(
        "import torch\n\n\n"
        "def mean_gap(population, groups):\n"
        "    return torch.stack([(population.mean() - group.mean()).abs() for group in groups])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    result = run(
        made(), sensitive=["race"], distances=named_distances(["wasserstein", "own_distances:mean_gap"])
    )
    score = result.scores["score"]
    expected = abs(score.mean() - score[result.scores["race"] == "black"].mean())
    found = by_name(result.measures)["distance_mean_gap", "race", "black"]
    assert found.value == pytest.approx(expected, rel=1e-4)
