import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds import few_shot
from clipfair.evaluate.kinds.few_shot import fit, permuted, predict
from clipfair.evaluate.protocol import Embedded, Sample

SETTINGS = {"shots": [1, 5], "seeds": [0, 1, 2]}


def sample(rng, labels, d=6, names="abcd"):
    table = pd.DataFrame({"key": [str(n) for n in range(len(labels))]})
    table["label"] = pd.Categorical(labels, categories=list(names))
    centres = 3 * np.eye(len(names), d)
    features = centres[table["label"].cat.codes] + rng.normal(size=(len(labels), d)) + 5
    return Sample(table, features[:, :0].astype(np.float32), features.astype(np.float32))


def make(support, test, **kwargs):
    rng = np.random.default_rng(0)
    return Embedded(sample(rng, test, **kwargs), sample(rng, support, **kwargs), {}, 1.0)


def run(embedded, **settings):
    return few_shot.evaluate(embedded, {**SETTINGS, **settings}, np.random.default_rng(0))


def values_of(result):
    return {(measure.metric, measure.label): measure.value for measure in result.measures}


def by_scikit_learn(embedded, shots, seed):
    """big_vision's protocol on scikit-learn's ridge regression."""
    codes = embedded.support.table["label"].cat.codes.to_numpy()
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.flatnonzero(codes == code)) for code in range(codes.max() + 1)]
    rows = np.concatenate([members[:shots] for members in order])
    x = embedded.support.features[rows].astype(float)
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-5

    def prepare(features):
        return np.hstack([(features - mean) / std, np.full((len(features), 1), 100.0)])

    ridge = Ridge(alpha=1024.0, fit_intercept=False, solver="cholesky")
    ridge.fit(prepare(x), 2.0 * np.eye(codes.max() + 1)[codes[rows]] - 1)
    return ridge.predict(prepare(embedded.test.features)).argmax(axis=1)


# With one shot there are fewer examples than features, with five more: both forms of the solution.
@pytest.mark.parametrize("shots", [1, 5])
def test_predictions_are_those_of_scikit_learn(shots, monkeypatch):
    monkeypatch.setattr(few_shot, "ROWS_AT_ONCE", 11)
    embedded = make(list("abcd" * 20), list("abcd" * 25))

    result = run(embedded)
    truth = embedded.test.table["label"].cat.codes
    found = []
    for seed in (0, 1, 2):
        expected = by_scikit_learn(embedded, shots, seed)
        assert result.scores[f"{shots} shots, draw {seed}"].tolist() == expected.tolist()
        found.append((expected == truth).mean())
        assert values_of(result)[f"accuracy_{shots}shot", f"draw {seed}"] == pytest.approx(found[-1])
    assert values_of(result)[f"accuracy_{shots}shot", None] == pytest.approx(np.mean(found))


def test_the_two_forms_agree():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 39)).astype(np.float32)
    chosen = [np.arange(20), np.arange(20, 40)]  # 40 examples, 40 features with the bias: primal
    primal = fit(features, chosen)
    wide = np.hstack([features, np.zeros((40, 1), np.float32)])  # one more that is constant: dual
    dual = fit(wide, chosen)

    assert dual.weights[:39] == pytest.approx(primal.weights[:39], abs=1e-6)
    assert dual.weights[39] == pytest.approx(0)
    assert dual.weights[40] == pytest.approx(primal.weights[39], abs=1e-7)


def test_weights_solve_the_normal_equations():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 5)).astype(np.float32)
    chosen = [np.arange(0, 10), np.arange(10, 22), np.arange(22, 30)]
    ridge = fit(features, chosen)
    z = np.hstack([(features - ridge.mean) / ridge.std, np.full((30, 1), 100.0)]).astype(float)
    targets = np.repeat(2.0 * np.eye(3) - 1, [10, 12, 8], axis=0)

    gradient = z.T @ (z @ ridge.weights - targets) + 1024 * ridge.weights
    assert np.abs(gradient).max() < 1e-3 * np.abs(z.T @ targets).max()


def test_draws_are_nested_and_of_each_class():
    codes = np.array([1, 0, 1, 1, 0, 0, 2])
    order = permuted(codes, np.arange(3), seed=1)

    assert [sorted(members) for members in order] == [[1, 4, 5], [0, 2, 3], [6]]
    assert [list(members) for members in order] == [
        list(members) for members in permuted(codes, np.arange(3), seed=1)
    ]


def test_a_class_with_fewer_examples_than_shots_gives_all_it_has():
    embedded = make(list("a" * 9 + "b" * 4 + "c" * 9 + "d" * 9), list("abcd" * 10))
    result = run(embedded)

    for seed in (0, 1, 2):
        expected = by_scikit_learn(embedded, 5, seed)
        assert result.scores[f"5 shots, draw {seed}"].tolist() == expected.tolist()
    assert all(measure.reason is None for measure in result.measures)


def test_more_shots_than_any_class_has_change_nothing():
    values = values_of(run(make(list("aabbccd"), list("abcd" * 5)), shots=[2, 3]))

    for label in (None, "draw 0", "draw 1", "draw 2"):
        assert values["accuracy_2shot", label] == values["accuracy_3shot", label]


def test_a_test_class_without_support_leaves_the_accuracy_undefined():
    result = run(make(list("aaabbb"), list("abdd"), names="abcd"))

    for measure in result.measures:
        assert measure.value is None
        assert measure.reason == "no support example of 1 of 3 test classes, the first 'd'"
    assert list(result.scores) == ["key", "label"]


def test_a_single_class_is_always_right():
    result = run(make(list("aaaaa"), list("aa"), names="a"), shots=[1])

    assert values_of(result)["accuracy_1shot", None] == 1


def test_constant_features_do_no_harm():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 3)).astype(np.float32)
    features[:, 1] = 7
    ridge = fit(features, [np.arange(10), np.arange(10, 20)])

    assert np.isfinite(ridge.weights).all()
    assert np.isfinite(predict(ridge, features)).all()


def test_a_model_without_pre_logits_is_refused():
    embedded = make(list("abcd" * 5), list("abcd"))
    test = Sample(embedded.test.table, embedded.test.images, embedded.test.features[:, :0])

    with pytest.raises(UserError, match="no pre-logits"):
        run(Embedded(test, embedded.support, {}, 1.0))


@pytest.mark.parametrize(("shots", "warned"), [([1, 2], False), ([1, 3], True)])
def test_more_shots_than_examples_of_a_class_are_a_warning(capsys, shots, warned):
    run(make(list("abcdabcda"), list("abcd")), shots=shots)
    message = (
        "clipfair: warning: few_shot: 3 of 4 classes have fewer than 3 support examples (the least 2); "
        "all of theirs are used\n"
    )
    assert capsys.readouterr().err == message * warned
