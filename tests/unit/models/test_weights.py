import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipfair.core.errors import UserError
from clipfair.models.checkpoints import read_weights
from clipfair.models.weights import fetch_vocabulary, fetch_weights


class Towers(torch.nn.Module):
    """In the form of OpenAI's: nested modules, half precision, sizes as buffers."""

    def __init__(self):
        super().__init__()
        self.visual = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        self.logit_scale = torch.nn.Parameter(torch.tensor(4.6))
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, inputs):
        return self.visual(inputs) * self.logit_scale


@pytest.fixture
def archive(tmp_path):
    torch.manual_seed(0)
    towers = Towers().half().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises against the format that OpenAI chose
        torch.jit.trace(towers, torch.zeros(2, 3, dtype=torch.half), check_trace=False).save(
            tmp_path / "towers.pt"
        )
    return tmp_path / "towers.pt", towers.state_dict()


def entry_of(path):
    return {
        "url": f"https://example.invalid/{path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def fetch(path, tmp_path, entry, fetch_it=fetch_weights, **options):
    mirror = tmp_path / "mirror"
    (mirror / "towers").mkdir(parents=True)
    (mirror / "towers" / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out/towers.safetensors"
    places = {"mirror": str(mirror), "partial_dir": str(tmp_path / "partial"), "out_path": str(out)}
    fetch_it("towers", entry, **places, **options)
    assert list((tmp_path / "partial").iterdir()) == []
    return out


def test_an_archive_becomes_safetensors(archive, tmp_path):
    path, state = archive
    found = load_file(fetch(path, tmp_path, entry_of(path)))
    assert found.keys() == state.keys() - {"input_resolution"}
    for name, value in found.items():
        assert torch.equal(value, state[name].float() if value.is_floating_point() else state[name])


def test_a_safetensors_is_copied(tmp_path):
    save_file({"weight": torch.arange(3).half()}, tmp_path / "a.safetensors")
    assert torch.equal(read_weights(tmp_path / "a.safetensors")["weight"], torch.arange(3.0))


def test_another_checksum_is_refused_and_leaves_nothing(archive, tmp_path):
    path, _ = archive
    with pytest.raises(UserError, match=r"towers: .*towers\.pt: sha256 is .*, expected 0000"):
        fetch(path, tmp_path, entry_of(path) | {"sha256": "0" * 64})
    assert not (tmp_path / "out").exists()


def test_what_a_killed_job_left_of_a_file_is_removed_by_the_next(archive, tmp_path):
    path, _ = archive
    kill = (
        "import os, signal, sys\n"
        "from clipfair.models import weights\n"
        "weights.read_weights = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "entry = {'url': sys.argv[1], 'sha256': None}\n"
        "places = {'mirror': sys.argv[2], 'partial_dir': sys.argv[3], 'out_path': 'none'}\n"
        "weights.fetch_weights('towers', entry, **places)\n"
    )
    entry = entry_of(path)
    (tmp_path / "mirror/towers").mkdir(parents=True)
    shutil.copy(path, tmp_path / "mirror/towers")
    places = [entry["url"], str(tmp_path / "mirror"), str(tmp_path / "partial")]
    killed = subprocess.run([sys.executable, "-c", kill, *places], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "partial").rglob(path.name))
    shutil.rmtree(tmp_path / "mirror")
    fetch(path, tmp_path, entry)  # which asserts that nothing is left


class Evil:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_code_in_an_archive_is_not_executed(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as made:
        made.writestr("evil/data.pkl", pickle.dumps(Evil(tmp_path / "ran"), protocol=2))
        made.writestr("evil/constants.pkl", b"")
    with pytest.raises(UserError, match=r"evil\.pt: contains no weights"):
        read_weights(tmp_path / "evil.pt")
    torch.save({"model": Evil(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil\.pth: neither"):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_without_its_frozen_tower_gets_it_from_a_clip(tmp_path):
    """As for BLIP2: names that share a tensor, optimiser state in the file, no published sha256."""
    words = torch.arange(6.0).reshape(3, 2)
    state = {"query_tokens": torch.ones(1, 2, 4).half(), "words": words, "decoder": words}
    torch.save({"model": state, "optimizer": {"step": 3}, "epoch": 9}, tmp_path / "blip2.pth")
    clip = {"visual.conv1.weight": torch.ones(2), "token_embedding.weight": torch.zeros(2)}
    save_file(clip, tmp_path / "clip.safetensors")
    entry = entry_of(tmp_path / "blip2.pth") | {"sha256": None}
    out = fetch(tmp_path / "blip2.pth", tmp_path, entry, tower=str(tmp_path / "clip.safetensors"))
    found = load_file(out)
    assert set(found) == {"query_tokens", "words", "decoder", "visual_encoder.conv1.weight"}
    assert torch.equal(found["decoder"], words)
    assert found["query_tokens"].dtype == torch.float32


def test_a_vocabulary_is_copied(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\nglaucoma\n")
    entry = entry_of(tmp_path / "vocab.txt")
    out = fetch(tmp_path / "vocab.txt", tmp_path, entry, fetch_vocabulary)
    assert out.read_text() == "[PAD]\nglaucoma\n"


def test_a_file_that_is_neither_is_refused(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"<html>not found</html>")
    with pytest.raises(
        UserError, match=r"x\.pt: neither a \.safetensors, a TorchScript archive nor a checkpoint"
    ):
        read_weights(tmp_path / "x.pt")


# --- other people's checkpoints ---

STATE = {"visual.weight": torch.arange(6.0).reshape(2, 3), "logit_scale": torch.tensor(4.6)}
WRAPPED = {f"module.{name}": value for name, value in STATE.items()}


@pytest.mark.parametrize("name", ["x.pt", "x.pth", "x.bin"])
@pytest.mark.parametrize(
    "checkpoint",
    [
        {"epoch": 3, "model_state_dict": STATE, "optimizer_state_dict": {"state": {}}, "loss": 0.1},
        {"epoch": 32, "name": "run", "state_dict": WRAPPED, "optimizer": {}, "scaler": {"scale": 1.0}},
        STATE,
        WRAPPED,
    ],
    ids=["FairCLIP", "open_clip", "plain", "wrapped"],
)
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_checkpoints_of_torch_are_read_whatever_their_form(tmp_path, checkpoint, name, is_zip):
    torch.save(checkpoint, tmp_path / name, _use_new_zipfile_serialization=is_zip)
    found = read_weights(tmp_path / name)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


def test_a_checkpoint_without_weights_names_its_keys(tmp_path):
    torch.save({"net": STATE, "epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"x\.pt: no weights in model, model_state_dict, .*keys: net, epoch"):
        read_weights(tmp_path / "x.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    torch.save({"state_dict": {**STATE, "bias": torch.tensor([0.0, value])}}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"x\.pt: 1 of 3 tensors are not finite \(first bias\)"):
        read_weights(tmp_path / "x.pt")


def test_a_file_of_ones_own_is_named_by_its_path(tmp_path):
    torch.save({"state_dict": WRAPPED}, tmp_path / "epoch_3.pt")
    sha256 = entry_of(tmp_path / "epoch_3.pt")["sha256"]
    entry = {"file": str(tmp_path / "epoch_3.pt"), "sha256": sha256}
    places = {"mirror": None, "partial_dir": str(tmp_path / "p"), "out_path": tmp_path / "out.safetensors"}
    fetch_weights("mine", entry, **places)
    assert load_file(tmp_path / "out.safetensors").keys() == STATE.keys()
    with pytest.raises(UserError, match=r"models\.mine\.weights: .*epoch_3\.pt: sha256 is .*, expected 0000"):
        fetch_weights("mine", entry | {"sha256": "0" * 64}, **places)


class _Other:
    """An object that is not a tensor."""


def test_nobody_is_advised_to_load_a_file_without_protection(tmp_path):
    torch.save({"model": _Other()}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"\(damaged, or contains objects other than tensors\)$"):
        read_weights(tmp_path / "x.pt")
