"""The files of a finished training: weights, spec, log, snapshots."""

import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from clipfair.core.io import atomic_folder, atomic_path, sha256_of, write_json, write_text
from clipfair.core.provenance import environment
from clipfair.train.interfaces import Process, TrainingParts
from clipfair.train.log import TrainingLog

PACKAGES = ("torch", "open_clip_torch", "safetensors", "pillow")


def save_weights(path: str | Path, state: Mapping[str, Tensor]) -> None:
    """Write weights as .safetensors."""
    from safetensors.torch import save

    with atomic_path(path) as temporary:
        temporary.write_bytes(
            save({name: value.detach().cpu().contiguous() for name, value in state.items()})
        )


def make_spec(
    settings: Mapping,
    parts: TrainingParts,
    *,
    code: str,
    inputs: Mapping[str, str],
    steps: int,
    process: Process,
    parameters: int,
) -> dict:
    """Return the content of spec.json: everything that decides a model, and the hardware.

    Parameters
    ----------
    inputs
        The input files by name; the spec has their sha256.
    parameters
        The number of parameters of the model.
    """
    packages = {name: metadata.version(name) for name in PACKAGES}
    known = environment()
    return {
        "made_by": "train_model",
        "code": code,
        "settings": dict(settings),
        "inputs": {name: {"path": str(file), "sha256": sha256_of(file)} for name, file in inputs.items()},
        "data": dict(parts.facts),
        "examples": steps * parts.batch_size,
        "steps": steps,
        "parameters": parameters,
        "environment": known | {"packages": known["packages"] | packages},
        "hardware": _hardware(process),
    }


def write_outputs(
    out: Mapping[str, str], state: Mapping[str, Tensor], spec: Mapping, log: TrainingLog, snapshots: Path
) -> None:
    """Write all files of a finished training, the weights last: if they exist, all other files do."""
    write_json(out["spec"], spec)
    log.write(out["log"])
    with atomic_folder(out["snapshots"]) as folder:
        for file in sorted(snapshots.glob("*.safetensors")):
            shutil.copyfile(file, folder / file.name)
    if "epochs" in out and not Path(out["epochs"]).exists():
        write_text(out["epochs"], "epoch\n")  # a kind of method without validation
    save_weights(out["model"], state)


def _hardware(process: Process) -> dict:
    found = {"processes": process.world, "processor": platform.machine(), "threads": torch.get_num_threads()}
    if torch.device(process.device).type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(process.device)
    return found
