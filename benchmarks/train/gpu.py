"""Images/s, FLOP utilisation and memory of the paper's models on a GPU, in bf16.

    python benchmarks/train/gpu.py --peak 989e12 [--raw RAW --keep KEEP --scratch SCRATCH --workers 12]

``--peak`` is the GPU's bf16 FLOP/s without sparsity (H100 SXM: 989e12). Batches are random tensors; with RAW
they are also read from its shards, and the difference is the loader's share. Prints a JSON line per setting.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.interfaces import Batch, Process, TrainingParts
from clipfair.train.kinds.pretrain import make_parts
from clipfair.train.log import TrainingLog
from clipfair.train.loop import LoopSettings, TrainingState, run_loop
from clipfair.train.optimisers import make_optimiser
from clipfair.train.pretraining.contrastive import ContrastiveObjective
from clipfair.train.schedules import make_schedule

METHOD = {"loss": "softmax", "temperature": 10, "bias": None}
RECIPE = {"optimiser": "adafactor", "learning_rate": 1e-3, "weight_decay": 1e-4, "schedule": "rsqrt"}
WARM, STEPS = 5, 20


class RandomSource:
    """One random batch, repeated, on the device."""

    def __init__(self, built: BuiltModel, size: int, device: str):
        images = torch.randn(size, 3, built.size, built.size, device=device)
        texts = built.tokenizer(["a photo of a man with a dog"] * size).to(device)
        self.batch = Batch(images, texts, [str(number) for number in range(size)])

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.batch

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        pass


def flops_of(built: BuiltModel, batch: Batch, objective: ContrastiveObjective, device: str) -> float:
    """FLOP of the forward and backward pass of one example."""
    few = Batch(batch.images[:2], batch.texts[:2], batch.keys[:2])
    with FlopCounterMode(display=False) as counter:
        objective.terms(built.model, few)["loss"].backward()
    return counter.get_total_flops() / 2


def measure(built: BuiltModel, parts: TrainingParts, *, device: str, compiled: bool, scratch: str) -> dict:
    """Seconds to the first step, images/s after ``WARM`` steps, peak memory."""
    named = list(built.model.named_parameters())
    log = TrainingLog(1, parts.batch_size)
    training = TrainingState(built.model, parts, make_optimiser(RECIPE, named), [p for _, p in named], log)
    settings = LoopSettings(
        WARM + STEPS, 1, 1e-3, 1.0, "bf16", frozenset(), failure=str(Path(scratch, "failure.json"))
    )
    if compiled:
        built.model.visual.compile()
        built.model.encode_text = torch.compile(built.model.encode_text)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    run_loop(
        training,
        make_schedule(RECIPE, settings.steps),
        settings,
        process=Process(device=device),
        checkpoints=Checkpoints(Path(scratch, "bench"), "spec", minutes=60),
        save_snapshot=lambda *_: None,
    )
    speeds = [row["images_per_second"] for row in log.rows[WARM:]]
    memory = 0 if device == "cpu" else torch.cuda.max_memory_allocated() / 2**30
    return {
        "images_per_second": round(len(speeds) / sum(1 / speed for speed in speeds)),
        "first_step_seconds": round(parts.batch_size / log.rows[0]["images_per_second"], 1),
        "memory_gib": round(memory, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", type=float, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=["B/32", "B/16"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1024, 4096])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--raw")
    parser.add_argument("--keep")
    parser.add_argument("--scratch", default="scratch/benchmark")
    parser.add_argument("--workers", type=int, default=12)
    asked = parser.parse_args()
    for vision in asked.models:
        for size in asked.batches:
            print(json.dumps({"model": vision, "batch": size} | setting(asked, vision, size)), flush=True)


def setting(asked: argparse.Namespace, vision: str, size: int) -> dict:
    """One model at one batch size, without a loader and with one."""
    entry = {"kind": "vit", "size": 224, "vision": vision, "text": vision[0], "dim": 768, "length": 16}
    objective = ContrastiveObjective(**METHOD, process=Process())
    where = {"device": asked.device, "compiled": asked.compile, "scratch": asked.scratch}
    start = time.perf_counter()
    built = build(entry, None, 0)
    built.model.to(asked.device)
    source = RandomSource(built, size, asked.device)
    flops = flops_of(built, source.batch, objective, asked.device)
    parts = TrainingParts(source, objective, batch_size=size, examples=(WARM + STEPS) * size)
    found = measure(built, parts, **where)
    found["utilisation"] = round(found["images_per_second"] * flops / asked.peak, 3)
    found["seconds_in_all"] = round(time.perf_counter() - start, 1)
    if asked.raw:
        settings = {
            "run": {"seed": 0},
            "recipe": {"batch_size": size, "examples": parts.examples, "workers": asked.workers},
            "method": {"settings": METHOD},
            "stages": [{"balance": "all", "share": 1}],
        }
        data = {"raw": asked.raw, "keep": [asked.keep], "cache": asked.scratch}
        read = make_parts(settings, data, built, process=Process(), out={}, scratch=asked.scratch)
        loaded = measure(built, read, **where | {"compiled": False})
        found["loader_share"] = round(1 - loaded["images_per_second"] / found["images_per_second"], 3)
    return found


if __name__ == "__main__":
    main()
