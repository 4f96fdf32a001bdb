"""Published weights: downloaded and checked like a dataset's files, converted to .safetensors.

OpenAI published TorchScript archives, and loading one with torch executes code in it. Here only the tensors
are read: the archive's pickle is loaded with a list of the few classes that tensors consist of, and every
other class is replaced by an empty object. BLIP2 was published as a .pth, from which torch reads only
tensors.
"""

import contextlib
import pickle
import shutil
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load, save
from torch import Tensor

from clipfair.core.catalogue import Archive, Dataset
from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path
from clipfair.data.fetch import fetch_dataset

# Entries of such archives that are not weights but settings of the architecture.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
# The prefix of the image tower in the original BLIP2 code, which leaves it out of checkpoints.
FROZEN_TOWER = "visual_encoder."
_TYPES = {
    "HalfStorage": torch.float16,
    "FloatStorage": torch.float32,
    "LongStorage": torch.int64,
    "DoubleStorage": torch.float64,
}


def fetch_weights(
    model: str,
    weights: Mapping[str, Any],
    *,
    tower: str | None = None,
    mirror: str | None,
    partial_dir: str,
    out_path: str,
) -> None:
    """Write the published weights of a model as .safetensors, from a mirror folder or their publisher.

    Parameters
    ----------
    model
        Its id: ``<mirror>/<id>/<file>`` is tried first.
    weights
        Its entry: ``url`` and ``sha256`` (None if it is not published) of a TorchScript archive, a
        .safetensors or a .pth.
    tower
        The fetched weights of a CLIP with the image tower that a checkpoint of BLIP2 lacks, because the tower
        was frozen; they are added as ``visual_encoder.*``.
    mirror, partial_dir
        As for :func:`clipfair.data.fetch.fetch_dataset`.

    Raises
    ------
    UserError
        If the file cannot be fetched, has another sha256, or contains no weights.
    """
    with _fetched(model, "weights", weights, mirror=mirror, partial_dir=partial_dir) as path:
        state = read_weights(path)
    if tower is not None:
        state = {name: value for name, value in state.items() if not name.startswith(FROZEN_TOWER)}
        for name, value in load(Path(tower).read_bytes()).items():
            if name.startswith("visual."):
                state[FROZEN_TOWER + name.removeprefix("visual.")] = value
    with atomic_path(out_path) as temporary:
        temporary.write_bytes(save(state))


def fetch_vocabulary(
    model: str, source: Mapping[str, Any], *, mirror: str | None, partial_dir: str, out_path: str
) -> None:
    """Write the published vocabulary (``url``, ``sha256``) of a tokenizer, as :func:`fetch_weights` does."""
    with (
        _fetched(model, "vocabulary", source, mirror=mirror, partial_dir=partial_dir) as path,
        atomic_path(out_path) as temporary,
    ):
        shutil.copyfile(path, temporary)


@contextlib.contextmanager
def _fetched(
    model: str, what: str, source: Mapping[str, Any], *, mirror: str | None, partial_dir: str
) -> Iterator[Path]:
    """Fetch one published file, checked like a dataset's; it is removed after the block."""
    name = source["url"].rpartition("/")[2]
    published = Dataset(
        id=model,
        title=f"{what} of {model}",
        kind="weights",
        version=source["sha256"] or "unknown",
        access="open",
        licence=source.get("licence", "its owner's"),
        citation=source["url"],
        homepage=source["url"],
        archives=(Archive(name, url=source["url"], sha256=source["sha256"], unpack=False),),
    )
    Path(partial_dir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=partial_dir) as folder:
        fetched = Path(folder, "fetched")
        fetch_dataset(published, mirror=mirror, partial_dir=partial_dir, out_dir=str(fetched))
        yield fetched / name


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of a .safetensors, a TorchScript archive or the ``model`` of a .pth, in float32.

    No code in the file is executed.

    Raises
    ------
    UserError
        If the file is none of them.
    """
    try:
        state = _read(path)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path.name}: neither a .safetensors, a TorchScript archive nor a .pth with model ({reason})"
        ) from None
    kept = {name: value for name, value in state.items() if name.rpartition(".")[2] not in NOT_WEIGHTS}
    if not kept:
        raise UserError(f"{path.name}: contains no weights")
    return {name: value.float() if value.is_floating_point() else value for name, value in kept.items()}


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".pth":
        state = torch.load(path, map_location="cpu", weights_only=True)["model"]
        # Names may share a tensor in a .pth, which .safetensors does not allow.
        return {name: value.clone() for name, value in state.items()}
    return _read_archive(path) if zipfile.is_zipfile(path) else load(path.read_bytes())


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
