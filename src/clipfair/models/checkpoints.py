"""Files of weights in any of their formats, read without executing code in them.

OpenAI published TorchScript archives, and loading one with torch executes code in it. Here only the tensors
are read: the archive's pickle is loaded with a list of the few classes that tensors consist of, and every
other class is replaced by an empty object. Other checkpoints are read by torch with ``weights_only``.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load
from torch import Tensor

from clipfair.core.errors import UserError

# Entries of OpenAI's archives that are not weights but settings of the architecture.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
# Where a checkpoint holds its weights: BLIP2, the released FairCLIP code, open_clip's epoch_N.pt.
STATE_KEYS = ("model", "model_state_dict", "state_dict")
# In front of all names if the model was wrapped for several GPUs.
WRAPPER = "module."
_TYPES = {
    "HalfStorage": torch.float16,
    "FloatStorage": torch.float32,
    "LongStorage": torch.int64,
    "DoubleStorage": torch.float64,
}


def read_weights(path: Path, *, where: str = "") -> dict[str, Tensor]:
    """Return the weights of a .safetensors, a TorchScript archive or a checkpoint of torch, in float32.

    The weights of a checkpoint are its entry ``model``, ``model_state_dict`` or ``state_dict``, or the whole
    checkpoint. A prefix ``module.`` of all names is removed. No code in the file is executed. Messages name
    ``where``, the path unless given.

    Raises
    ------
    UserError
        If the file is none of them, contains no weights, or weights that are not finite.
    """
    where = where or str(path)
    try:
        state = _read(path, where)
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        if isinstance(error, pickle.UnpicklingError):  # torch's advice is to load the file without protection
            reason = "damaged, or contains objects other than tensors"
        raise UserError(
            f"{where}: neither a .safetensors, a TorchScript archive nor a checkpoint of torch ({reason})"
        ) from None
    kept = {name: value for name, value in state.items() if name.rpartition(".")[2] not in NOT_WEIGHTS}
    if not kept:
        raise UserError(f"{where}: contains no weights")
    check_finite(kept, where=where)
    return {name: value.float() if value.is_floating_point() else value for name, value in kept.items()}


def check_finite(state: Mapping[str, Tensor], *, where: str) -> None:
    """Raise a UserError if weights are NaN or infinite."""
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise UserError(
            f"{where}: {len(broken)} of {len(state)} tensors are not finite (first {broken[0]}); "
            "train or fetch them again"
        )


def _read(path: Path, where: str) -> dict[str, Tensor]:
    with path.open("rb") as stream:
        is_pickle = stream.read(1) == pickle.PROTO  # torch's format before 1.6
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            # Only a TorchScript archive has constants.
            is_script = any(name.endswith("/constants.pkl") for name in archive.namelist())
        return _read_archive(path) if is_script else _read_checkpoint(path, where)
    return _read_checkpoint(path, where) if is_pickle else load(path.read_bytes())


def _read_checkpoint(path: Path, where: str) -> dict[str, Tensor]:
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    entries = checkpoint if isinstance(checkpoint, Mapping) else {}
    state = next((entries[key] for key in STATE_KEYS if isinstance(entries.get(key), Mapping)), entries)
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(
            f"{where}: no weights in {', '.join(STATE_KEYS)}, and it is no mapping of names to tensors; "
            f"its keys: {', '.join(map(str, list(entries)[:10])) or 'none'}"
        )
    wrapped = all(name.startswith(WRAPPER) for name in state)
    # Names may share a tensor in a checkpoint, which .safetensors does not allow.
    return {name.removeprefix(WRAPPER) if wrapped else name: value.clone() for name, value in state.items()}


def _read_archive(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as archive:
        [main] = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        with archive.open(main) as stream:
            module = _TensorUnpickler(
                stream, lambda key: archive.read(main.replace("data.pkl", f"data/{key}"))
            ).load()
    return dict(_tensors_of(module, prefix=""))


class _AnyObject:
    """Replaces any other object of an archive: it has the attributes but no code."""

    def __init__(self, *_: object):
        self.attributes: dict = {}

    def __setstate__(self, state: object) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _TensorUnpickler(pickle.Unpickler):
    """Reads a pickle, and creates only tensors and ordered mappings of their own classes."""

    def __init__(self, stream: BinaryIO, read: Callable[[str], bytes]):
        super().__init__(stream)
        self.read = read

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("collections", "OrderedDict"): OrderedDict,
        }
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        return known.get((module, name), _AnyObject)

    def persistent_load(self, pid: tuple) -> Tensor:
        _, dtype, key, *_ = pid
        return torch.frombuffer(bytearray(self.read(key)), dtype=dtype)


def _rebuild(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    return torch.as_strided(storage, size, stride, offset).clone()


def _tensors_of(module: _AnyObject, prefix: str) -> list[tuple[str, Tensor]]:
    found = []
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            found.append((prefix + name, value))
        elif isinstance(value, _AnyObject):
            found += _tensors_of(value, f"{prefix}{name}.")
    return found
