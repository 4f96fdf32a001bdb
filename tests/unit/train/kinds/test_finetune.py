"""Whole fine-tunings: the same bytes again, also after an interruption; methods that must agree do."""

import signal
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from clipfair.core.errors import UserError
from clipfair.core.io import read_json
from clipfair.data.images import open_image
from clipfair.metrics.prediction import auc
from clipfair.plan.configuration.methods import Switches
from clipfair.train.fairclip.objective import FairclipObjective
from clipfair.train.finetuning import groups as groups_module
from clipfair.train.finetuning.batches import GROUP_KEYS, GROUP_TEXTS
from clipfair.train.finetuning.epochs import predict_split
from clipfair.train.finetuning.groups import Cells
from clipfair.train.interfaces import Process
from clipfair.train.kinds.finetune import make_parts
from clipfair.train.run import train
from tests.unit.train.finetuning_data import (
    RECIPE,
    make_model,
    make_settings,
    make_table,
    outputs,
    write_data,
)

EXACT = {"kind": "wasserstein", "p": 2}


@pytest.fixture
def finetune(tmp_path):
    """Returns a function that trains a run in a folder of its own and gives its files."""

    def run(name, switches, *, table=None, **named):
        data = write_data(tmp_path, make_table() if table is None else table)
        out = outputs(tmp_path / name)
        scratch = str(tmp_path / name / "scratch")
        train(make_settings(switches, **named), data=data, weights=None, out=out, scratch=scratch)
        return out

    return run


def content(out, *names):
    names = names or ("model", "epochs")
    return {name: Path(out[name]).read_bytes() for name in names}


def weights(out):
    return load_file(out["model"])


def test_the_same_run_gives_the_same_bytes(finetune):
    entry = {"variant": "fairclip-corrected"}
    first, again = (finetune(name, entry, attr="race", lam="0.1") for name in ("first", "again"))
    assert content(first) == content(again)
    other = finetune("other", entry, attr="race", lam="0.1", seed=1)
    assert content(other)["model"] != content(first)["model"]


@pytest.mark.parametrize("selection", ["validation", "test"])
def test_models_do_not_depend_on_the_measures_of_the_test_split(finetune, selection):
    entry = {"variant": "clip-ft", "selection": selection}
    whole, part = (
        finetune(f"measured-{measured}", entry, recipe={"measure_test": measured})
        for measured in (True, False)
    )
    assert content(whole, "model") == content(part, "model")
    splits = set(pd.read_csv(part["epochs"])["split"])
    assert splits == ({"validation", "test"} if selection == "test" else {"validation"})


@pytest.mark.parametrize("variant", ["fairclip-released", "a-fairclip"])
def test_an_interrupted_run_ends_with_the_same_bytes(finetune, variant, monkeypatch):
    entry = {"variant": variant, "distance": EXACT}
    whole = finetune("whole", entry, attr="race", lam="1e-4")
    terms, calls = FairclipObjective.terms, []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGTERM)
        return terms(self, model, batch)

    monkeypatch.setattr(FairclipObjective, "terms", interrupted)
    with pytest.raises(UserError, match="stopped by SIGTERM after step 8"):
        finetune("parts", entry, attr="race", lam="1e-4")
    parts = finetune("parts", entry, attr="race", lam="1e-4")
    assert len(calls) == 15
    assert content(parts) == content(whole)


# Training without a fairness loss that treats groups differently, by what it does.
CONTROLS = {
    "reweighing": {"example_weights": "reweighing"},
    "m4": {"example_weights": "m4"},
    "balanced": {"sampler": "group-balanced"},
    "dro": {"sampler": "group-balanced", "dro_step": 1.0},
}


@pytest.mark.parametrize("control", CONTROLS)
def test_an_interrupted_control_ends_with_the_same_bytes(finetune, control, monkeypatch):
    entry = {"variant": "clip-ft", **CONTROLS[control]}
    plain, whole = finetune("plain", {"variant": "clip-ft"}), finetune("whole", entry, attr="race")
    assert content(whole)["model"] != content(plain)["model"]
    assert read_json(whole["spec"])["steps"] == read_json(plain["spec"])["steps"]
    terms, calls = FairclipObjective.terms, []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGTERM)
        return terms(self, model, batch)

    monkeypatch.setattr(FairclipObjective, "terms", interrupted)
    with pytest.raises(UserError, match="stopped by SIGTERM after step 8"):
        finetune("parts", entry, attr="race")
    parts = finetune("parts", entry, attr="race")
    assert len(calls) == 15
    assert content(parts) == content(whole)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_placebo_of_a_control_has_other_cells(finetune, control):
    entry = {"variant": "clip-ft", **CONTROLS[control]}
    true, placebo = (
        finetune(groups, {**entry, "groups": groups}, attr="race") for groups in ("true", "shuffled")
    )
    assert content(true)["model"] != content(placebo)["model"]


def test_weights_of_1_train_as_no_weights(finetune, monkeypatch):
    monkeypatch.setattr(Cells, "weights", lambda self, name: np.ones(len(self.codes)))
    plain = finetune("plain", {"variant": "clip-ft"})
    weighted = finetune("weighted", {"variant": "clip-ft", "example_weights": "m4"}, attr="race")
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(weighted)[name], value, rtol=0, atol=1e-5)


def test_group_dro_with_one_cell_is_the_mean_over_its_examples(finetune, monkeypatch):
    monkeypatch.setattr(
        groups_module, "find_cells", lambda attribute, groups, labels: Cells(np.zeros(len(labels), int), 1)
    )
    plain = finetune("plain", {"variant": "clip-ft"})
    robust = finetune("robust", {"variant": "clip-ft", "dro_step": 1.0}, attr="race")
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(robust)[name], value, rtol=0, atol=1e-5)


def test_with_separate_generators_lam_0_is_fine_tuning_without_a_fairness_loss(finetune):
    plain = finetune("plain", {"variant": "clip-ft"})
    nothing = finetune("nothing", {"variant": "fairclip-corrected"}, attr="race", lam="0")
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(nothing)[name], value, rtol=0, atol=1e-6)
    shared = {"variant": "fairclip-corrected", "generators": "shared"}
    other = finetune("shared", shared, attr="race", lam="0")
    assert any(not torch.allclose(weights(other)[name], value) for name, value in weights(plain).items())


def test_a_placebo_has_the_batches_of_its_counterpart_and_is_measured_with_true_groups(finetune):
    entry = {"variant": "a-fairclip", "distance": EXACT}
    true, placebo = (
        finetune(groups, {**entry, "groups": groups}, attr="race", lam="1") for groups in ("true", "shuffled")
    )
    logs, measured = ([pd.read_csv(out[name]) for out in (true, placebo)] for name in ("log", "epochs"))
    assert logs[0]["contrastive"][0] == logs[1]["contrastive"][0]  # of the same first batch
    assert logs[0]["fairness"][0] != logs[1]["fairness"][0]
    before = [table[table["epoch"] == 0] for table in measured]
    pd.testing.assert_frame_equal(*before)
    assert content(true)["model"] != content(placebo)["model"]


@pytest.mark.parametrize("switches", [{"score": "margin"}, {"score": "margin", "conditional": "label"}])
def test_the_decision_margin_is_trained_on(finetune, switches):
    entry = {"variant": "a-fairclip", "distance": EXACT, **switches}
    logs = [
        pd.read_csv(finetune(name, entry, attr="race", lam=lam)["log"])
        for name, lam in (("with", "3"), ("without", "0"))
    ]
    assert logs[0]["fairness"][-3:].mean() < logs[1]["fairness"][-3:].mean()


def test_an_overwritten_loss_trains_as_if_there_were_none(finetune):
    entry = {"variant": "mmd-gaussian-released"}
    trained = finetune("trained", entry, attr="race", lam="200")
    same = {"trained": "all", "logit_scale": "trained", "drop_last": True, "drop_last_validation": True}
    plain = finetune("plain", {"variant": "clip-ft", **same})
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(trained)[name], value, rtol=0, atol=1e-6)
    fixed = finetune("fixed", {**entry, "overwritten": False}, attr="race", lam="200")
    assert any(not torch.allclose(weights(fixed)[name], value) for name, value in weights(plain).items())


def test_a_step_of_two_batches_has_the_mean_of_their_gradients_or_half_of_the_last(finetune, tmp_path):
    entry = {"variant": "a-fairclip", "distance": EXACT}
    how = {"attr": "race", "lam": "1", "recipe": {"batch_size": 35, "accumulate": 2, "epochs": 1}}
    data = write_data(tmp_path, make_table())
    settings = make_settings(entry, **how)
    built = make_model()
    out = outputs(tmp_path / "reference")
    parts = make_parts(settings, data, built, process=Process(), out=out, scratch=str(tmp_path / "scratch"))
    first, second = islice(parts.source, 2)
    trained = [parameter for _, parameter in parts.objective.parameters(built.model)]
    losses = [parts.objective.terms(built.model, batch)["loss"] for batch in (first, second)]
    gradients = [torch.autograd.grad(loss, trained) for loss in losses]
    mean = [(one + other) / 2 for one, other in zip(*gradients, strict=True)]
    half = [value / 2 for value in gradients[1]]
    expected = {"sum": (sum(losses).item() / 2, mean), "last": (losses[1].item() / 2, half)}
    for accumulation, (loss, gradient) in expected.items():
        log = pd.read_csv(finetune(accumulation, {**entry, "accumulation": accumulation}, **how)["log"])
        assert len(log) == 1
        assert log["loss"].item() == pytest.approx(loss, rel=1e-5)
        assert log["gradient_norm"].item() == pytest.approx(
            torch.nn.utils.get_total_norm(gradient).item(), rel=1e-4
        )


@pytest.mark.parametrize("accumulation", ["sum", "last"])
def test_an_interrupted_run_of_accumulated_batches_ends_with_the_same_bytes(
    finetune, accumulation, monkeypatch
):
    """A pass of five batches is three steps of at most two batches."""
    entry = {"variant": "fairclip-plus", "distance": EXACT, "accumulation": accumulation}
    how = {"attr": "race-gender", "lam": "0.1", "recipe": {"accumulate": 2}}
    whole = finetune("whole", entry, **how)
    assert read_json(whole["spec"])["steps"] == 3 * 3
    terms, calls = FairclipObjective.terms, []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGTERM)
        return terms(self, model, batch)

    monkeypatch.setattr(FairclipObjective, "terms", interrupted)
    with pytest.raises(UserError, match="stopped by SIGTERM"):
        finetune("parts", entry, **how)
    parts = finetune("parts", entry, **how)
    assert len(calls) == {"sum": 15, "last": 9}[accumulation]
    assert content(parts) == content(whole)


def test_towers_alone_leave_the_rest_as_it_was(finetune):
    before = dict(make_model().model.named_parameters())
    after = weights(finetune("towers", {"variant": "clip-ft"}))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert "logit_scale" not in moved
    assert "text.proj" not in moved
    assert {"visual.proj", "text.up.weight"} <= moved


def test_16_bit_weights_are_kept_as_such(finetune):
    after = weights(finetune("half", {"variant": "clip-ft", "precision": "fp16_roundtrip"}))
    assert torch.equal(after["visual.proj"], after["visual.proj"].half().float())
    assert not torch.equal(after["visual.norm.weight"], after["visual.norm.weight"].half().float())


def test_a_run_writes_its_epochs_switches_and_terms(finetune):
    entry = {"variant": "fairclip-plus", "distance": EXACT}
    out = finetune("run", entry, attr="race-gender", lam="0.07")
    epochs = pd.read_csv(out["epochs"])
    assert sorted(epochs["epoch"].unique()) == [0, 1, 2, 3]
    log = pd.read_csv(out["log"])
    parts = log["contrastive"] + 0.07 * log["fairness"]
    np.testing.assert_allclose(log["loss"], parts, rtol=1e-4)
    spec = read_json(out["spec"])
    assert spec["data"]["splits"] == {"train": 70, "validation": 24, "test": 40}
    assert spec["data"]["switches"]["weights"] == {"race": 0.5, "gender": 0.5}
    assert spec["examples"] == 3 * 5 * 16


def chance():
    """A table whose labels are independent of its images, so that AUCs go up and down."""
    table = make_table()
    table["glaucoma"] = np.random.default_rng(0).permutation(table["glaucoma"])
    return table


@pytest.mark.parametrize("selection", ["validation", "test"])
def test_the_saved_epoch_is_the_best_on_the_split_of_the_selection(finetune, selection):
    out = finetune("run", {"variant": "clip-ft", "selection": selection}, table=chance(), seed=3)
    epochs = pd.read_csv(out["epochs"]).query("epoch > 0 and metric == 'auc' and label.isna()")
    aucs = epochs.pivot(index="epoch", columns="split", values="value")
    assert aucs["test"].idxmax() != aucs["validation"].idxmax()
    model = make_model().model
    model.load_state_dict(weights(out))
    assert auc_on(selection, model, chance()) == pytest.approx(aucs[selection].max(), abs=0.005)


def auc_on(split, model, table):
    built = make_model()
    table = table[table["split"] == RECIPE["splits"][split]["split"]]
    inputs = [built.preprocess(open_image(row, folder="")) for row in table.to_dict("records")]
    with torch.no_grad():
        images = model.encode_image(torch.stack(inputs), normalize=True)
        texts = model.encode_text(built.tokenizer(RECIPE["prompts"]), normalize=True)
    return auc(table["glaucoma"].to_numpy(), (images @ texts.T).softmax(dim=1)[:, 1].numpy())


# --- every switch where it belongs ------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("saved", "fp16"),
        ("selection_scores", "dot"),
        ("drop_last_validation", True),
        ("drop_last", True),
        ("mismatched_pairs", True),
        ("mode", "train"),
    ],
)
def test_a_switch_has_its_effect_and_no_other(tmp_path, switch, value):
    entry = {"variant": "a-fairclip", "distance": EXACT}
    plain, switched = (effects(tmp_path, entry | change) for change in ({}, {switch: value}))
    defaults = Switches().model_dump()
    assert plain == {name: defaults[name] for name in plain}
    assert switched == {**plain, switch: value}


def effects(folder, entry):
    """Return the switches of a fine-tuning, inferred from the behaviour of its parts."""
    out, built = outputs(folder), make_model()
    parts = make_parts(
        make_settings(entry, attr="race", lam="1e-4"),
        write_data(folder, chance()),
        built,
        process=Process(),
        out=out,
        scratch=str(folder),
    )
    [tracking] = parts.hooks
    scores, drops = compared_by(tracking, built)
    batches = list(islice(parts.source, 5))
    parts.objective.terms(built.model, batches[0])
    mode = "train" if built.model.training else "eval"
    tracking.after_step(tracking.steps_per_epoch, built.model)
    kept = tracking.best()["visual.proj"]
    return {
        "saved": "fp16" if torch.equal(kept, kept.half().float()) else "fp32",
        "selection_scores": scores,
        "drop_last_validation": drops,
        "drop_last": min(len(batch.keys) for batch in batches) == 16,
        "mismatched_pairs": has_other_texts(batches[0], parts.source),
        "mode": mode,
    }


def compared_by(tracking, built):
    """Which scores of which examples the AUC is of that epochs are compared by."""
    examples = tracking.splits["validation"]
    found = {}
    for scores in ("cosine", "dot"):
        seen = predict_split(
            built.model, examples, built, tracking.prompts, device="cpu", unit_length=scores == "cosine"
        )
        for drops, end in ((False, 24), (True, 16)):
            found[scores, drops] = auc(examples.labels[:end], seen.probability[:end])
    assert len(set(found.values())) == 4
    measured = tracking.measure_epoch(1, built.model)
    return next(how for how, value in found.items() if value == measured)


def has_other_texts(batch, source):
    """Return True if the texts of a group batch are not those of its examples."""
    places = pd.Index(source.keys).get_indexer(batch.extra[GROUP_KEYS])
    own = source.examples.tokens[torch.from_numpy(places)]
    return not torch.equal(batch.extra[GROUP_TEXTS], own)


def test_a_subsample_trains_on_a_part(finetune):
    out = finetune("part", {"variant": "clip-ft"}, recipe={"subsample": {"share": 0.5}})
    assert read_json(out["spec"])["data"]["splits"]["train"] == 35


@pytest.mark.parametrize("kind", ["sinkhorn", "geomloss"])
def test_a_distance_that_is_not_finite_stops_the_training(finetune, tmp_path, kind):
    """After the first step at this learning rate no score is finite, and the scores have no range."""
    distance = {"kind": kind, "p": 2, "blur": 1e-4, "scaling": 0.9, "diameter": None}
    switches = {"variant": "fairclip-corrected", "distance": distance}
    with pytest.raises(UserError, match=r"step \d+: not a finite number"):
        finetune("run", switches, attr="race", lam="0.1", recipe={"learning_rate": 1e38})
    # A search recognises a trial without a value by this file.
    assert read_json(tmp_path / "run/scratch/checkpoints/failure-0.json")["step"] > 1


def test_a_model_that_diverges_in_the_last_step_of_an_epoch_is_reported(finetune, tmp_path):
    one_step = {"batch_size": 70, "learning_rate": 1e38}
    with pytest.raises(UserError, match=r"epoch 1: 40 of 40 probabilities of the test split are not finite"):
        finetune("run", {"variant": "clip-ft"}, recipe=one_step)
    # A search recognises a diverged trial by this file.
    assert read_json(tmp_path / "run/scratch/checkpoints/failure-0.json")["epoch"] == 1


@pytest.mark.parametrize(
    ("entry", "named", "message"),
    [
        ({"variant": "clip-ft"}, {"recipe": {"batch_size": 71}}, "fewer than a batch of 71"),
        ({"variant": "clip-ft"}, {"recipe": {"prompts": ["a", "b", "c"]}}, "3 prompts; expected two"),
    ],
)
def test_bad_settings_are_reported_before_training(finetune, entry, named, message):
    with pytest.raises(UserError) as error:
        finetune("bad", entry, **named)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
