import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from clipfair.evaluate.kinds.association import evaluate, placements
from clipfair.evaluate.protocol import Embedded, Sample

OCCUPATIONS = ["nurse", "pilot", "cook", "judge"]
SETTINGS = {
    "attribute": "gender",
    "groups": {"man": "Male", "woman": "Female"},
    "occupations": OCCUPATIONS,
    "neutral": "",
}


def random_units(rng, rows):
    values = rng.normal(size=(rows, 8))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16).astype(np.float32)


def make(genders, scale=5.0, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"key": [str(n) for n in range(len(genders))], "gender": pd.Categorical(genders)})
    images = random_units(rng, len(genders))
    texts = {
        "occupations": random_units(rng, 4),
        "neutral": random_units(rng, 1),
        "groups": random_units(rng, 2),
    }
    return Embedded(Sample(table, images, images[:, :0]), None, texts, scale)


def run(embedded):
    return evaluate(embedded, SETTINGS, np.random.default_rng(0))


def values_of(result):
    return {(measure.metric, measure.label, measure.group): measure.value for measure in result.measures}


@pytest.fixture
def embedded():
    return make(["Male"] * 23 + ["Female"] * 17)


def test_probabilities_against_a_double_loop(embedded):
    values = values_of(run(embedded))
    differences = []
    for k, occupation in enumerate(OCCUPATIONS):
        mean = {}
        for group, gender in (("man", "Male"), ("woman", "Female")):
            p = []
            for image, its in zip(embedded.test.images, embedded.test.table["gender"], strict=True):
                if its == gender:
                    logit = 5.0 * np.dot(image, embedded.texts["occupations"][k])
                    neutral = 5.0 * np.dot(image, embedded.texts["neutral"][0])
                    p.append(np.exp(logit) / (np.exp(logit) + np.exp(neutral)))
            mean[group] = np.mean(p)
            assert values["probability", occupation, group] == pytest.approx(mean[group], abs=1e-6)
        differences.append(mean["man"] - mean["woman"])
        assert values["association", occupation, None] == pytest.approx(differences[-1], abs=1e-6)
    for name, summary in (("mean", np.mean), ("median", np.median), ("max", np.max)):
        assert values[f"association_{name}", None, None] == pytest.approx(
            summary(np.abs(differences)), abs=1e-6
        )


def test_pairwise_is_that_of_all_pairs_and_of_scikit_learn(embedded):
    values = values_of(run(embedded))
    is_man = (embedded.test.table["gender"] == "Male").to_numpy()
    found = []
    for k, occupation in enumerate(OCCUPATIONS):
        scores = embedded.test.images @ embedded.texts["occupations"][k]
        chosen = [np.sign(man - woman) for man in scores[is_man] for woman in scores[~is_man]]
        found.append(abs(np.mean(chosen)))
        assert values["pairwise", occupation, None] == pytest.approx(found[-1])
        assert values["pairwise", occupation, None] == pytest.approx(
            abs(2 * roc_auc_score(is_man, scores) - 1)
        )
    assert values["pairwise_mean", None, None] == pytest.approx(np.mean(found))
    assert values["pairwise_max", None, None] == pytest.approx(np.max(found))


def test_recognition_against_scikit_learn(embedded):
    result = run(embedded)
    values = values_of(result)
    is_man = (embedded.test.table["gender"] == "Male").to_numpy()
    p = result.scores["p(man)"].to_numpy()

    for group, part in ((None, is_man | True), ("man", is_man), ("woman", ~is_man)):
        assert values["gender_accuracy", None, group] == pytest.approx(((p > 0.5) == is_man)[part].mean())
        expected = log_loss(is_man[part], p[part], labels=[False, True])
        assert values["gender_log_loss", None, group] == pytest.approx(expected)


def test_everything_follows_from_the_scores(embedded):
    result = run(embedded)
    by_group = result.scores.groupby("group", observed=True)[[f"p({name})" for name in OCCUPATIONS]].mean()
    values = values_of(result)

    for name in OCCUPATIONS:
        assert values["association", name, None] == pytest.approx(-by_group[f"p({name})"].diff().iloc[1])


def test_intervals_hold_the_values_and_n_is_the_groups(embedded):
    for measure in run(embedded).measures:
        assert measure.low is not None
        if not measure.metric.endswith(("_mean", "_median", "_max")) and measure.metric != "pairwise":
            assert measure.low <= measure.value <= measure.high
        assert measure.n == {None: 40, "man": 23, "woman": 17}[measure.group]


def test_resampled_association_has_the_spread_of_two_means():
    embedded = make(["Male"] * 500 + ["Female"] * 300)
    result = run(embedded)
    p = result.scores["p(nurse)"].to_numpy()
    [measure] = [
        measure for measure in result.measures if (measure.metric, measure.label) == ("association", "nurse")
    ]
    error = np.sqrt(p[:500].var() / 500 + p[500:].var() / 300)

    assert measure.high - measure.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_resampled_pairs_have_the_spread_of_delong():
    embedded = make(["Male"] * 500 + ["Female"] * 300)
    embedded.test.images[:500] += embedded.texts["occupations"][1] / 4  # men as pilots: far from 0
    result = run(embedded)
    scores = result.scores["cosine(pilot)"].to_numpy()[:, None]
    [measure] = [
        measure for measure in result.measures if (measure.metric, measure.label) == ("pairwise", "pilot")
    ]
    first, second = placements(scores[:500], scores[500:]), placements(scores[500:], scores[:500])
    error = np.sqrt(first.var() / 500 + second.var() / 300)

    assert measure.high - measure.low == pytest.approx(4 * 1.96 * error, rel=0.1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2], [0, 0], [1, 1]),
        ([0], [0, 0, 0], [0.5]),
        ([0, 1, 2], [1], [0, 0.5, 1]),
        ([3], [1, 3, 3, 5], [0.5]),
    ],
)
def test_ties_are_halves(first, second, expected):
    found = placements(np.array(first, float)[:, None], np.array(second, float)[:, None])

    assert found[:, 0].tolist() == expected


def test_images_that_are_all_the_same_are_ties():
    embedded = make(["Male", "Female"] * 5)
    embedded.test.images[:] = embedded.test.images[0]
    values = values_of(run(embedded))

    assert values["pairwise_max", None, None] == 0
    assert values["association_max", None, None] == pytest.approx(0, abs=1e-12)


def test_words_that_are_the_same_are_half_right():
    embedded = make(["Male", "Female", "Female"])
    embedded.texts["groups"][1] = embedded.texts["groups"][0]
    values = values_of(run(embedded))

    assert values["gender_accuracy", None, None] == 0.5
    assert values["gender_log_loss", None, "woman"] == pytest.approx(np.log(2))


def test_one_image_of_each():
    result = run(make(["Male", "Female"]))

    assert {measure.value for measure in result.measures if measure.metric == "pairwise"} == {1.0}
    assert all(measure.value is not None for measure in result.measures)


def test_a_missing_group_is_undefined_with_a_reason():
    result = run(make(["Male"] * 4))

    for measure in result.measures:
        needs_both = measure.metric.startswith(("association", "pairwise"))
        if needs_both or measure.group == "woman":
            assert (measure.value, measure.low, measure.reason) == (None, None, "no image of woman")
        else:
            assert measure.value is not None
            assert measure.reason is None
        assert measure.n == (0 if measure.group == "woman" else 4)


def test_no_group_at_all_is_undefined_everywhere():
    result = run(make(["Unknown"] * 3))

    assert {measure.value for measure in result.measures} == {None}
    assert {measure.n for measure in result.measures} == {0}


def test_images_of_neither_group_are_ignored():
    with_unknown = make(["Male", "Unknown", "Female", "Male"])
    rows = [0, 2, 3]
    test = with_unknown.test
    less = Embedded(
        Sample(test.table.iloc[rows].reset_index(drop=True), test.images[rows], test.features[rows]),
        None,
        with_unknown.texts,
        with_unknown.scale,
    )
    assert run(with_unknown).measures == run(less).measures


def test_large_logits_do_not_overflow():
    values = values_of(run(make(["Male", "Female"] * 3, scale=1e4)))

    assert all(np.isfinite(value) for value in values.values())
