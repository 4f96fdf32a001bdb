import hashlib
import pickle
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipfair.console import UserError
from clipfair.data.weights import fetch_weights, read_weights


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


def line_of(path):
    return {
        "url": f"https://example.invalid/{path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def fetch(path, tmp_path, line):
    mirror = tmp_path / "mirror"
    (mirror / "towers").mkdir(parents=True)
    (mirror / "towers" / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out/towers.safetensors"
    fetch_weights(
        "towers", line, mirror=str(mirror), partial_dir=str(tmp_path / "partial"), out_path=str(out)
    )
    return out


def test_an_archive_becomes_safetensors(archive, tmp_path):
    path, state = archive
    found = load_file(fetch(path, tmp_path, line_of(path)))
    assert found.keys() == state.keys() - {"input_resolution"}
    for name, value in found.items():
        assert torch.equal(value, state[name].float() if value.is_floating_point() else state[name])


def test_safetensors_are_taken_as_they_are(tmp_path):
    save_file({"weight": torch.arange(3).half()}, tmp_path / "a.safetensors")
    assert torch.equal(read_weights(tmp_path / "a.safetensors")["weight"], torch.arange(3.0))


def test_another_checksum_is_refused_and_leaves_nothing(archive, tmp_path):
    path, _ = archive
    with pytest.raises(UserError, match=r"towers: .*towers\.pt: sha256 is .*, expected 0000"):
        fetch(path, tmp_path, line_of(path) | {"sha256": "0" * 64})
    assert not (tmp_path / "out").exists()


def test_code_in_an_archive_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as made:
        made.writestr("evil/data.pkl", pickle.dumps(Evil(), protocol=2))
    with pytest.raises(UserError, match=r"evil\.pt: holds no weights"):
        read_weights(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_what_is_neither(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"x\.pt: neither a \.safetensors nor a TorchScript archive"):
        read_weights(tmp_path / "x.pt")
