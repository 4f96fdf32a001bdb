"""Published weights: fetched and checked like a dataset's files, written as .safetensors.

OpenAI published TorchScript archives, which torch runs code to load. Here only their tensors are read:
the archive's pickle is interpreted with a list of the few things that tensors are made of, and anything
else in it is an empty shell. BLIP2 was published as a .pth, of which torch reads tensors alone.
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

# What such archives may hold besides weights: what the architecture has already.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
# What BLIP2's original calls its image tower, which it leaves out of its checkpoints.
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
    """Write the published weights of a model as .safetensors, from a mirror folder or their owner.

    Parameters
    ----------
    model
        Its id: ``<mirror>/<id>/<file>`` is tried first.
    weights
        Its line: ``url`` and ``sha256`` (None if it is not published) of a TorchScript archive, a
        .safetensors or a .pth.
    tower
        Fetched weights of a CLIP whose image tower these lack, because it was frozen (BLIP2); it is put among
        them as ``visual_encoder.*``.
    mirror, partial_dir
        As for :func:`clipfair.data.fetch.fetch_dataset`.

    Raises
    ------
    UserError
        If they cannot be had, are not what was published, or hold no weights.
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
    """One published file, checked like a dataset's; it is gone after the block."""
    name = source["url"].rpartition("/")[2]
    published = Dataset(
        id=model,
        title=f"{what} of {model}",
        kind="weights",
        version=source["sha256"] or "unknown",
        access="open",
        licence=source.get("licence", "its owner's"),
        citation="",
        homepage=source["url"],
        archives=(Archive(name, url=source["url"], sha256=source["sha256"], unpack=False),),
    )
    Path(partial_dir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=partial_dir) as folder:
        fetched = Path(folder, "fetched")
        fetch_dataset(published, mirror=mirror, partial_dir=partial_dir, out_dir=str(fetched))
        yield fetched / name


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a .safetensors, of a TorchScript archive or of a .pth's ``model``, in float32.

    Raises
    ------
    UserError
        If the file is none of them. Nothing in it is run.
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
        raise UserError(f"{path.name}: holds no weights")
    return {name: value.float() if value.is_floating_point() else value for name, value in kept.items()}


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".pth":
        state = torch.load(path, map_location="cpu", weights_only=True)["model"]
        # Names may share a tensor there, which a .safetensors does not allow.
        return {name: value.clone() for name, value in state.items()}
    return _read_archive(path) if zipfile.is_zipfile(path) else load(path.read_bytes())


def _read_archive(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as archive:
        [main] = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        with archive.open(main) as stream:
            module = _Tensors(
                stream, lambda key: archive.read(main.replace("data.pkl", f"data/{key}"))
            ).load()
    return dict(_tensors_of(module, prefix=""))


class _Shell:
    """Stands for any object of an archive: its attributes, none of its code."""

    def __init__(self, *_: object):
        self.attributes: dict = {}

    def __setstate__(self, state: object) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _Tensors(pickle.Unpickler):
    """Reads a pickle in which only tensors come to life."""

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
        return known.get((module, name), _Shell)

    def persistent_load(self, pid: tuple) -> Tensor:
        _, dtype, key, *_ = pid
        return torch.frombuffer(bytearray(self.read(key)), dtype=dtype)


def _rebuild(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    return torch.as_strided(storage, size, stride, offset).clone()


def _tensors_of(module: _Shell, prefix: str) -> list[tuple[str, Tensor]]:
    found = []
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            found.append((prefix + name, value))
        elif isinstance(value, _Shell):
            found += _tensors_of(value, f"{prefix}{name}.")
    return found
