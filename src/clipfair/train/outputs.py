"""What a run leaves: weights, spec, log, curves, model card, snapshots."""

import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from clipfair.core.io import atomic_folder, atomic_path, sha256_of, write_json, write_text
from clipfair.core.provenance import environment
from clipfair.train.card import model_card
from clipfair.train.curves import draw_curves
from clipfair.train.log import Log
from clipfair.train.protocols import Parts, Place

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
    parts: Parts,
    *,
    code: str,
    inputs: Mapping[str, str],
    steps: int,
    place: Place,
    parameters: int,
) -> dict:
    """Everything that made a model, and nothing that did not; ``inputs`` are files by name."""
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
        "hardware": _hardware(place),
    }


def write_outputs(
    out: Mapping[str, str], state: Mapping[str, Tensor], spec: Mapping, log: Log, snapshots: Path
) -> None:
    """Write all files of a run that has ended; the weights last, for they say that it has."""
    write_json(out["spec"], spec)
    log.write(out["log"])
    draw_curves(pd.DataFrame(log.rows), out["curves"], title=_title(spec["settings"]["run"]))
    write_text(out["card"], model_card(spec))
    with atomic_folder(out["snapshots"]) as folder:
        for file in sorted(snapshots.glob("*.safetensors")):
            shutil.copyfile(file, folder / file.name)
    if "epochs" in out and not Path(out["epochs"]).exists():
        write_text(out["epochs"], "epoch\n")  # none was measured
    save_weights(out["model"], state)


def _title(run: Mapping) -> str:
    return ", ".join(f"{level} {value}" for level, value in run.items() if value != "none")


def _hardware(place: Place) -> dict:
    found = {"processes": place.world, "processor": platform.machine(), "threads": torch.get_num_threads()}
    if torch.device(place.device).type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(place.device)
    return found
