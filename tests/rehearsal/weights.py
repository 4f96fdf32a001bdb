"""Miniature weights in the formats that were published: TorchScript archives, checkpoints, a vocabulary."""

import string
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from clipfair.models.blip2 import make_blip2
from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from tests.blip2_original import original
from tests.rehearsal import files

# BERT's vocabulary starts like this; the others are all letters, alone and within a word.
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *string.ascii_lowercase]
PIECES += [f"##{letter}" for letter in string.ascii_lowercase]
# OpenAI's archives hold these three numbers as buffers.
NUMBERS = ("input_resolution", "context_length", "vocab_size")
SEED = 7


def write_vocabulary(path: Path) -> None:
    """Write a vocab.txt of BERT."""
    files.write_files(path.parent, {path.name: files.lines(PIECES)})


def write_weights(path: Path, entry: Mapping[str, Any], vocabulary: Path) -> None:
    """Write random weights of a model, in the format that the name of its published file implies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry["kind"] == "blip2":
        torch.save({"model": _blip2_state(entry, vocabulary)}, path)
        return
    built = build(entry, None, SEED)
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in built.model.state_dict().items()}, path)
    elif "openaipublic" in entry["weights"]["url"]:
        _write_archive(built, path)
    else:
        torch.save(built.model.state_dict(), path)


def _write_archive(built: BuiltModel, path: Path) -> None:
    """Write a TorchScript archive in half precision, as OpenAI did."""
    model = built.model.eval()
    for name in NUMBERS:
        model.__dict__.pop(name, None)
        model.register_buffer(name, torch.tensor(0))
    model.half()
    inputs = torch.zeros(1, 3, built.size, built.size, dtype=torch.half), built.tokenizer(["a"])
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch advises against the format that OpenAI chose
        torch.jit.trace(model, inputs, check_trace=False).save(path)


def _blip2_state(entry: Mapping[str, Any], vocabulary: Path) -> dict[str, torch.Tensor]:
    """Return the published names, without the frozen tower."""
    tower: nn.Module = build(entry["tower"], None, SEED).model.visual
    torch.manual_seed(SEED)
    tokenizer = {**entry["tokenizer"], "vocabulary": str(vocabulary)}
    state = original(make_blip2({**entry, "tokenizer": tokenizer}, tower)[0])
    return {name: value for name, value in state.items() if not name.startswith("visual_encoder.")}
