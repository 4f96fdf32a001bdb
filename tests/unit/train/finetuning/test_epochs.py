"""Epochs: their measures against those of the evaluation, the selection, undefined values."""

import numpy as np
import pandas as pd
import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.core.io import read_json
from clipfair.metrics.distances import group_distances
from clipfair.metrics.evaluated_distances import EVALUATED, named_distances
from clipfair.metrics.fairness_measures import measure_fairness
from clipfair.metrics.prediction import auc
from clipfair.train.finetuning import epochs
from clipfair.train.finetuning.epochs import EpochTracker, Predictions, measure_groups, predict_split
from clipfair.train.finetuning.examples import read_splits
from tests.unit.train.finetuning_data import RECIPE, make_model, make_table, write_data

TRACKED = named_distances(["distance_wasserstein", "distance_scale_free"])


@pytest.fixture(scope="module")
def built():
    return make_model()


@pytest.fixture(scope="module")
def splits(tmp_path_factory, built):
    data = write_data(tmp_path_factory.mktemp("world"), make_table())
    return read_splits(RECIPE, data, built, seed=0, cache=data["cache"])


@pytest.fixture
def make(splits, built, tmp_path):
    """Returns a function: a tracking of epochs of two steps."""

    def tracking(**change):
        arguments = {
            "splits": splits,
            "built": built,
            "prompts": built.tokenizer(RECIPE["prompts"]),
            "attributes": RECIPE["attributes"],
            "tracked": TRACKED,
            "steps_per_epoch": 2,
            "step_size": 16,
            "batch_size": 16,
            "measures_test": True,
            "selection": "validation",
            "unit_length": True,
            "drop_last": False,
            "saved_as_half": False,
            "path": str(tmp_path / "epochs.csv"),
            "failure": str(tmp_path / "failure-0.json"),
        }
        return EpochTracker(**{**arguments, **change})

    return tracking


def seen(n, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.3, 0.7, n).round(2)
    return Predictions(p, rng.normal(20, 3, n).astype(np.float32))


# --- measures ---------------------------------------------------------------------------------


def test_measures_equal_those_of_the_evaluation(splits):
    examples, found = splits["test"], seen(40)
    rows = measure_groups(examples, found, attributes=["race", "gender"], tracked=TRACKED)
    ours = {(row["metric"], row["label"], row["group"]): row for row in rows}
    columns = {name: examples.table[name] for name in ("race", "gender")}
    theirs = {
        (one.metric, one.label or "", one.group or ""): one
        for one in measure_fairness(examples.labels, found.probability, sensitive_features=columns)
    }
    compared = set(ours) & set(theirs)
    assert len(compared) == 3 + 2 * 3
    for place in compared:
        assert ours[place]["value"] == pytest.approx(theirs[place].value)
        assert ours[place]["n"] == theirs[place].n


def test_distances_compare_every_group_with_all_scores(splits):
    examples, found = splits["test"], seen(40)
    rows = measure_groups(examples, found, attributes=["race"], tracked=EVALUATED)
    scores = torch.from_numpy(found.score)
    members = examples.members("race")
    for name, entry in EVALUATED.items():
        values = group_distances(entry, scores, [scores[places] for places in members.values()])
        of_name = [row for row in rows if row["metric"] == name]
        assert [row["group"] for row in of_name] == list(members)
        assert [row["value"] for row in of_name] == pytest.approx(values.tolist())
        assert [row["n"] for row in of_name] == [len(places) for places in members.values()]


def test_an_undefined_value_has_a_reason(splits):
    one_label = epochs.Examples(**{**vars(splits["test"]), "labels": np.ones(40, dtype=np.int64)})
    constant = Predictions(np.full(40, 0.6), np.full(40, 20.0, dtype=np.float32))
    rows = measure_groups(one_label, constant, attributes=["race"], tracked=TRACKED)
    undefined = {row["metric"]: row["reason"] for row in rows if row["value"] is None}
    assert undefined["auc"] == "all labels are 1"
    assert set(undefined) == {"auc", "deodds", "es_auc", "distance_scale_free"}
    assert all(undefined.values())
    assert all(row["reason"] is None for row in rows if row["value"] is not None)


def test_probabilities_are_the_softmax_of_plain_cosines(splits, built):
    prompts = built.tokenizer(RECIPE["prompts"])
    found = predict_split(built.model, splits["test"], built, prompts, device="cpu")
    with torch.no_grad():
        images = built.model.encode_image(
            built.normalise(splits["test"].pixels(torch.arange(40))), normalize=True
        )
        texts = built.model.encode_text(prompts, normalize=True)
        own = built.model.encode_text(splits["test"].tokens, normalize=True)
        logits = built.model.logit_scale.exp() * images @ own.T
    expected = (images @ texts.T).softmax(dim=1)[:, 1]
    np.testing.assert_allclose(found.probability, expected, rtol=1e-5)
    np.testing.assert_allclose(found.score, logits.diagonal(), rtol=1e-4, atol=1e-5)


def test_embeddings_that_are_not_normalised_compare_otherwise(splits, built):
    prompts = built.tokenizer(RECIPE["prompts"])
    unit, raw = (
        predict_split(built.model, splits["test"], built, prompts, device="cpu", unit_length=unit)
        for unit in (True, False)
    )
    assert not np.allclose(unit.probability, raw.probability)
    np.testing.assert_array_equal(unit.score, raw.score)


def test_training_mode_is_restored(splits, built):
    built.model.train()
    predict_split(built.model, splits["test"], built, built.tokenizer(RECIPE["prompts"]), device="cpu")
    assert built.model.training


# --- the choice -------------------------------------------------------------------------------


def choose(tracking, aucs, monkeypatch):
    """Epochs whose weights are their number and whose AUC is given; the number that is kept."""
    model = make_model().model
    for epoch, value in enumerate(aucs, start=1):
        with torch.no_grad():
            model.logit_scale.fill_(epoch)
        monkeypatch.setattr(tracking, "measure_epoch", lambda epoch, model, value=value: value)
        assert not tracking.is_due(2 * epoch - 1)
        assert tracking.is_due(2 * epoch)
        tracking.after_step(2 * epoch, model)
    best = tracking.best()
    return None if best is None else best["logit_scale"].item()


def test_the_best_epoch_is_kept_and_the_later_of_equals(make, monkeypatch):
    assert choose(make(), [0.6, 0.7, 0.5], monkeypatch) == 2
    assert choose(make(), [0.6, 0.7, 0.7, 0.4], monkeypatch) == 3


def test_without_selection_the_last_weights_are_kept(make, monkeypatch):
    assert choose(make(selection="last"), [None, None], monkeypatch) is None


@pytest.mark.parametrize("selection", ["validation", "test"])
def test_the_selection_uses_the_auc_of_its_split(make, splits, built, selection):
    prompts = built.tokenizer(RECIPE["prompts"])
    p = predict_split(built.model, splits[selection], built, prompts, device="cpu").probability
    expected = auc(splits[selection].labels, p)
    assert make(selection=selection).measure_epoch(1, built.model) == pytest.approx(expected)


def test_a_dropped_last_batch_is_not_counted(make, splits, built):
    p = predict_split(
        built.model, splits["validation"], built, built.tokenizer(RECIPE["prompts"]), device="cpu"
    )
    expected = auc(splits["validation"].labels[:16], p.probability[:16])
    assert make(drop_last=True).measure_epoch(1, built.model) == pytest.approx(expected)


@pytest.mark.parametrize("selection", ["validation", "last"])
def test_weights_are_rounded_where_the_model_is_saved_in_16_bits(make, monkeypatch, selection):
    tracking = make(selection=selection, saved_as_half=True)
    assert choose(tracking, [0.6 if selection == "validation" else None], monkeypatch) == 1
    weights = tracking.best()["visual.proj"]
    assert torch.equal(weights, weights.half().float())
    plain = make_model().model.visual.proj.detach()
    assert torch.equal(weights, plain.half().float())
    assert not torch.equal(weights, plain)


def test_epochs_are_written_as_they_end(make, built):
    tracking = make()
    tracking.measure_epoch(0, built.model)
    tracking.after_step(2, built.model)
    table = pd.read_csv(tracking.path)
    assert sorted(table["epoch"].unique()) == [0, 1]
    assert table.query("epoch == 1")["examples"].unique().tolist() == [32]
    assert table.query("split == 'validation'")["metric"].unique().tolist() == ["auc"]
    test = table.query("split == 'test' and epoch == 1")
    expected = {"auc", "accuracy", "selection_rate", "dpd", "deodds", "es_auc", *TRACKED}
    assert set(test["metric"]) == expected
    assert len(test) == 3 + 2 * 3 + len(TRACKED) * (3 + 2)


def test_without_the_test_split_epochs_have_the_same_validation(make, built, monkeypatch):
    whole, part = make(), make(measures_test=False)
    assert part.measure_epoch(1, built.model) == whole.measure_epoch(1, built.model)
    assert part.rows == [row for row in whole.rows if row["split"] == "validation"]
    assert [row["metric"] for row in part.rows] == ["auc"]


def test_a_restored_tracker_continues(make, built):
    first = make()
    first.after_step(2, built.model)
    second = make()
    second.load_state_dict(first.state_dict())
    assert second.rows == first.rows
    assert second.best_auc == first.best_auc
    assert all(torch.equal(second.best()[name], value) for name, value in first.best().items())


# --- bad input --------------------------------------------------------------------------------


def test_labels_that_are_all_equal_select_no_epoch(make, splits):
    of_one = epochs.Examples(**{**vars(splits["validation"]), "labels": np.zeros(24, dtype=np.int64)})
    changed = {**splits, "validation": of_one}
    with pytest.raises(UserError, match=r"the validation split: all labels are 0, so its AUC is undefined"):
        make(splits=changed)
    make(splits=changed, selection="last")
    make(splits=changed, selection="test")


def test_an_unknown_distance_is_refused(make):
    with pytest.raises(UserError, match=r"unknown distance 'wasserstain' \(did you mean"):
        make(tracked={"distance_mine": {"kind": "wasserstain", "p": 2}})


def test_a_diverged_model_is_reported(make):
    model = make_model().model
    with torch.no_grad():
        model.visual.proj.fill_(torch.nan)
    tracking = make()
    with pytest.raises(UserError) as error:
        tracking.after_step(4, model)
    assert str(error.value) == (
        "epoch 2: 40 of 40 probabilities of the test split are not finite: the model diverged; set a smaller "
        "learning_rate in recipes.yaml, or a smaller lam"
    )
    assert read_json(tracking.failure) == {"epoch": 2, "split": "test", "lost": 40}
    assert (tracking.rows, tracking.weights) == ([], {})


def test_overflowing_products_of_embeddings_are_reported(make):
    model = make_model().model
    with torch.no_grad():
        model.visual.proj.mul_(1e20)
        model.text.proj.mul_(1e20)
    make().measure_epoch(1, model)
    tracking = make(unit_length=False)
    with pytest.raises(UserError, match=r"epoch 1: \d+ of 24 probabilities of the validation split are not"):
        tracking.measure_epoch(1, model)
