"""Whole fine-tunings: the same bytes again, also after an interruption; methods that must agree do."""

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from clipfair.console import UserError
from clipfair.io import read_json
from clipfair.train.fair_objective import FairObjective
from clipfair.train.run import train
from tests.unit.train.fair_world import make_model, make_settings, make_table, outputs, write_data

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
    line = {"variant": "fairclip-corrected"}
    first, again = (finetune(name, line, attr="race", lam="0.1") for name in ("first", "again"))
    assert content(first) == content(again)
    other = finetune("other", line, attr="race", lam="0.1", seed=1)
    assert content(other)["model"] != content(first)["model"]


@pytest.mark.parametrize("variant", ["fairclip-released", "a-fairclip"])
def test_an_interrupted_run_ends_with_the_same_bytes(finetune, variant, monkeypatch):
    line = {"variant": variant, "distance": EXACT}
    whole = finetune("whole", line, attr="race", lam="1e-4")
    terms, calls = FairObjective.terms, []

    def interrupted(self, model, batch):
        calls.append(1)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGTERM)
        return terms(self, model, batch)

    monkeypatch.setattr(FairObjective, "terms", interrupted)
    with pytest.raises(UserError, match="stopped by SIGTERM after step 8"):
        finetune("parts", line, attr="race", lam="1e-4")
    parts = finetune("parts", line, attr="race", lam="1e-4")
    assert len(calls) == 15
    assert content(parts) == content(whole)


def test_with_separate_generators_lam_0_is_fine_tuning_without_a_fairness_loss(finetune):
    plain = finetune("plain", {"variant": "clip-ft"})
    nothing = finetune("nothing", {"variant": "fairclip-corrected"}, attr="race", lam="0")
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(nothing)[name], value, rtol=0, atol=1e-6)
    shared = {"variant": "fairclip-corrected", "generators": "shared"}
    other = finetune("shared", shared, attr="race", lam="0")
    assert any(not torch.allclose(weights(other)[name], value) for name, value in weights(plain).items())


def test_an_overwritten_loss_trains_as_if_there_were_none(finetune):
    line = {"variant": "mmd-gaussian-released"}
    trained = finetune("trained", line, attr="race", lam="200")
    same = {"trained": "all", "logit_scale": "trained", "drop_last": True, "drop_last_validation": True}
    plain = finetune("plain", {"variant": "clip-ft", **same})
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(trained)[name], value, rtol=0, atol=1e-6)
    mended = finetune("mended", {**line, "overwritten": False}, attr="race", lam="200")
    assert any(not torch.allclose(weights(mended)[name], value) for name, value in weights(plain).items())


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


def test_a_run_leaves_its_epochs_its_switches_and_its_logged_terms(finetune):
    line = {"variant": "fairclip-plus", "distance": EXACT}
    out = finetune("run", line, attr="race-gender", lam="0.07")
    epochs = pd.read_csv(out["epochs"])
    assert sorted(epochs["epoch"].unique()) == [0, 1, 2, 3]
    log = pd.read_csv(out["log"])
    parts = log["contrastive"] + 0.07 * log["fairness"]
    np.testing.assert_allclose(log["loss"], parts, rtol=1e-4)
    spec = read_json(out["spec"])
    assert spec["data"]["splits"] == {"train": 70, "validation": 24, "test": 40}
    assert spec["data"]["switches"]["weights"] == {"race": 0.5, "gender": 0.5}
    assert spec["examples"] == 3 * 5 * 16


def test_selection_on_the_test_split_keeps_the_epoch_that_is_best_there(finetune):
    out = finetune("test", {"variant": "clip-ft", "selection": "test"})
    epochs = pd.read_csv(out["epochs"]).query("epoch > 0 and metric == 'auc' and label.isna()")
    best = epochs[epochs["split"] == "test"]["value"].max()
    model = make_model().model
    model.load_state_dict(weights(out))
    assert best == pytest.approx(auc_on_test(model))


def auc_on_test(model):
    from clipfair.fairness import auc
    from clipfair.images import open_image
    from tests.unit.train.fair_world import RECIPE

    built, table = make_model(), make_table()
    table = table[table["split"] == "test"]
    pictures = [built.preprocess(open_image(row, folder="")) for row in table.to_dict("records")]
    with torch.no_grad():
        images = model.encode_image(torch.stack(pictures), normalize=True)
        texts = model.encode_text(built.tokenizer(RECIPE["prompts"]), normalize=True)
    return auc(table["glaucoma"].to_numpy(), (images @ texts.T).softmax(dim=1)[:, 1].numpy())


def test_a_subsample_trains_on_a_part(finetune):
    out = finetune("part", {"variant": "clip-ft", "subsample": {"share": 0.5}})
    assert read_json(out["spec"])["data"]["splits"]["train"] == 35


@pytest.mark.parametrize(
    ("line", "named", "told"),
    [
        ({"variant": "clip-ft"}, {"recipe": {"batch_size": 71}}, "fewer than a batch of 71"),
        ({"variant": "clip-ft"}, {"recipe": {"accumulate": 2}}, "one batch a step; set accumulate: 1"),
        ({"variant": "clip-ft"}, {"recipe": {"prompts": ["a", "b", "c"]}}, "3 prompts; expected two"),
        ({"variant": "a-fairclip"}, {"attr": "race", "lam": "-1"}, "lam is '-1'"),
    ],
)
def test_what_cannot_be_trained_is_said_before(finetune, line, named, told):
    with pytest.raises(UserError) as error:
        finetune("bad", line, **named)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
