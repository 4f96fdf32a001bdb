"""Measure training on one GPU: throughput, the FairCLIP step, numerical agreement with the CPU, resuming.

    bash benchmarks/gpu/run.sh OUT [--quick] [--sections pretraining resume ...]

One row of OUT/results.csv is one measurement: section, case, variant, quantity, value, unit. Each section
runs on its own, so that the failure of one (printed) leaves the others.

pretraining : the paper's ViT-B/32 and ViT-B/16 in bf16 at batches of 1,024 and 4,096 (parts of 1,024): our
    step (Adafactor, clipping, logging), the same compiled, and open_clip's (fused AdamW, ``ClipLoss``),
    all on the same random batch: images/s, share of the GPU's peak, peak memory.
fairclip : one step of ViT-B/16 with a batch of 32 and three groups, as released and as ours, from image files
    and from memory; relative differences of loss and gradient.
agreement : losses of 50 steps of the same small ViT on CPU in 32 bits, GPU in 32 bits, GPU in bf16.
resume : weights after 20 steps, without and with an interruption after 10: the same bytes?
"""

import argparse
import csv
import dataclasses
import hashlib
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.interfaces import Batch, Process, TrainingParts
from clipfair.train.log import TrainingLog
from clipfair.train.loop import LoopSettings, TrainingState, run_loop
from clipfair.train.optimisers import make_optimiser
from clipfair.train.pretraining.contrastive import ContrastiveObjective
from clipfair.train.run import READ_EVERY
from clipfair.train.schedules import make_schedule

# Dense bf16 FLOP/s from the vendors' data sheets, by a part of the device's name.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
RECIPE = {"optimiser": "adafactor", "learning_rate": 1e-3, "weight_decay": 1e-4, "schedule": "constant"}
TEXT = "a photo of a {} with a dog"
FIELDS = ("section", "case", "variant", "quantity", "value", "unit")

Row = dict[str, object]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    device: str
    models: tuple[str, ...]
    batches: tuple[int, ...]
    part: int
    warm: int
    steps: int
    image: int
    agreement_batch: int
    agreement_steps: int


FULL = Sizes("cuda", ("B/32", "B/16"), (1024, 4096), 1024, 3, 10, 224, 32, 50)
QUICK = Sizes("cpu", ("S/32",), (8, 16), 8, 1, 2, 64, 4, 6)


def model_entry(vision: str, image: int) -> dict:
    """The catalogue entry of one of the paper's towers."""
    return {"kind": "vit", "size": image, "vision": vision, "text": vision[0], "dim": 768, "length": 16}


class RandomBatches:
    """The same random batches on every device, generated on the CPU; ``fixed`` repeats the first."""

    def __init__(self, built: BuiltModel, size: int, device: str, *, fixed: bool):
        self.built, self.size, self.device, self.fixed = built, size, device, fixed
        self.step, self.first = 0, None

    def __iter__(self) -> Iterator[Batch]:
        while True:
            if self.first is None or not self.fixed:
                self.first = self._draw().to(self.device)
            self.step += 1
            yield self.first

    def _draw(self) -> Batch:
        generator = torch.Generator().manual_seed(self.step)
        side = self.built.size
        images = torch.randn(self.size, 3, side, side, generator=generator)
        words = torch.randint(0, 10_000, (self.size,), generator=generator).tolist()
        return Batch(
            images, self.built.tokenizer([TEXT.format(word) for word in words]), [str(w) for w in words]
        )

    def state_dict(self) -> dict:
        return {"step": self.step}

    def load_state_dict(self, state: dict) -> None:
        self.step = state["step"]


@dataclasses.dataclass
class Run:
    """A training of random batches, ready to start."""

    training: TrainingState
    settings: LoopSettings
    device: str
    folder: Path

    def go(self) -> None:
        """Train to the last step."""
        run_loop(
            self.training,
            make_schedule(RECIPE, self.settings.steps),
            self.settings,
            process=Process(device=self.device),
            checkpoints=Checkpoints(self.folder, "benchmark", minutes=60),
            save_snapshot=lambda *_: None,
        )


def make_run(
    entry: dict, batch: int, steps: int, folder: Path, *, device: str, precision: str, parts: int, fixed: bool
) -> Run:
    """A model with random weights of seed 0, its objective, optimiser and batches."""
    built = build(entry, None, 0)
    objective = ContrastiveObjective(
        loss="softmax", temperature=10, bias=None, process=Process(device=device)
    )
    objective.prepare(built.model)
    built.model.to(device)
    source = RandomBatches(built, batch // parts, device, fixed=fixed)
    pieces = TrainingParts(source, objective, batch_size=batch, examples=steps * batch)
    named = list(built.model.named_parameters())
    training = TrainingState(
        built.model,
        pieces,
        make_optimiser(RECIPE, named),
        [parameter for _, parameter in named],
        TrainingLog(1, batch),
    )
    settings = LoopSettings(
        steps,
        parts,
        1e-3,
        1.0,
        precision,
        frozenset(),
        READ_EVERY[torch.device(device).type],
        failure=str(folder / "failure.json"),
    )
    return Run(training, settings, device, folder)


def synchronise(device: str) -> None:
    """Wait for the GPU, so that a clock can be read."""
    if device != "cpu":
        torch.cuda.synchronize()


def release(device: str) -> None:
    """Give back the memory of earlier measurements and restart its statistics."""
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> float:
    """The most memory allocated on the GPU since :func:`release`, in GiB."""
    return 0.0 if device == "cpu" else torch.cuda.max_memory_allocated() / 2**30


# --- pretraining -------------------------------------------------------------------------------


def pretraining(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Our training step and open_clip's on the same batches."""
    for vision in sizes.models:
        for batch in sizes.batches:
            entry, parts = model_entry(vision, sizes.image), max(1, batch // sizes.part)
            flops = step_flops(entry, sizes.device)
            variants = {"ours": our_step, "ours, compiled": compiled_step, "open_clip": open_clip_step}
            for variant, step_time in variants.items():
                if step_time is compiled_step and batch > sizes.part:
                    continue  # compiling takes a minute of the machine's time
                release(sizes.device)
                seconds = step_time(entry, batch, parts, sizes, folder / f"{vision[0]}{batch}")
                rate = batch / seconds
                case = {
                    "section": "pretraining",
                    "case": f"ViT-{vision}, batch {batch}, bf16",
                    "variant": variant,
                }
                yield case | {"quantity": "throughput", "value": rate, "unit": "images/s"}
                yield case | {"quantity": "memory", "value": peak_memory(sizes.device), "unit": "GiB"}
                if peak := peak_of(sizes.device):
                    yield case | {
                        "quantity": "share of peak",
                        "value": rate * flops / peak,
                        "unit": "fraction",
                    }


def peak_of(device: str) -> float | None:
    """The dense bf16 peak of the device in FLOP/s; None if it is not in the table."""
    if device == "cpu":
        return None
    name = torch.cuda.get_device_name()
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def step_flops(entry: dict, device: str) -> float:
    """FLOP of forward and backward for one example, without recomputation."""
    run = make_run(entry, 2, 1, Path(), device=device, precision="bf16", parts=1, fixed=True)
    batch = next(iter(run.training.parts.source))
    with FlopCounterMode(display=False) as counter:
        run.training.parts.objective.terms(run.training.model, batch)["loss"].backward()
    return counter.get_total_flops() / 2


def our_step(
    entry: dict, batch: int, parts: int, sizes: Sizes, folder: Path, *, compiled: bool = False
) -> float:
    """Seconds of a step of our loop: mean over the steps after the warm-up."""
    steps = sizes.warm + sizes.steps
    run = make_run(
        entry, batch, steps, folder, device=sizes.device, precision="bf16", parts=parts, fixed=True
    )
    if compiled:
        run.training.model.visual.compile()
        run.training.model.encode_text = torch.compile(run.training.model.encode_text)
    run.go()
    speeds = [row["images_per_second"] for row in run.training.log.rows[sizes.warm :]]
    return sum(batch / speed for speed in speeds) / len(speeds)


def compiled_step(entry: dict, batch: int, parts: int, sizes: Sizes, folder: Path) -> float:
    """As :func:`our_step` with both towers compiled (``compile: true`` of a recipe)."""
    return our_step(entry, batch, parts, sizes, folder / "compiled", compiled=True)


def open_clip_step(entry: dict, batch: int, parts: int, sizes: Sizes, folder: Path) -> float:
    """Seconds of a step as open_clip trains: features first without graphs, then each part with its graph."""
    from open_clip.loss import ClipLoss

    run = make_run(entry, batch, 1, folder, device=sizes.device, precision="bf16", parts=parts, fixed=True)
    model, loss_of = run.training.model, ClipLoss()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=sizes.device != "cpu")
    one = next(iter(run.training.parts.source))
    pieces = [(one.images, one.texts)] * parts

    def embed(images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(torch.device(sizes.device).type, dtype=torch.bfloat16):
            image_features, text_features, scale = model(images, texts)[:3]
        return image_features, text_features, scale

    def step() -> None:
        optimiser.zero_grad()
        if parts == 1:
            image_features, text_features, scale = embed(*pieces[0])
            loss_of(image_features.float(), text_features.float(), scale).backward()
        else:
            with torch.no_grad():
                kept = [embed(*piece)[:2] for piece in pieces]
            for number, piece in enumerate(pieces):
                image_features, text_features, scale = embed(*piece)
                images = [image_features if i == number else kept[i][0] for i in range(parts)]
                texts = [text_features if i == number else kept[i][1] for i in range(parts)]
                loss_of(torch.cat(images).float(), torch.cat(texts).float(), scale).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    for _ in range(sizes.warm):
        step()
    synchronise(sizes.device)
    start = time.perf_counter()
    for _ in range(sizes.steps):
        step()
    synchronise(sizes.device)
    return (time.perf_counter() - start) / sizes.steps


# --- FairCLIP ----------------------------------------------------------------------------------


def fairclip(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """One FairCLIP step as released and as ours."""
    import run as benchmark  # benchmarks/fairclip/run.py

    if sizes.device == "cpu":
        entry, name = benchmark.SMALL, "small"
    else:
        entry, name = {"kind": "open_clip", "architecture": "ViT-B-16"}, "ViT-B/16"
    case = benchmark.make_case(name, entry, folder / "fundus", 3 if sizes.device == "cpu" else 20)
    for method in benchmark.METHODS:
        for row in benchmark.steps(case, method):
            label = {"section": "fairclip", "case": f"{name}, batch 32, 3 groups, {method}"}
            if row["method"] == "difference":
                yield label | {
                    "variant": "ours",
                    "quantity": "loss difference",
                    "value": row["error"],
                    "unit": "relative",
                }
                yield label | {
                    "variant": "ours",
                    "quantity": "gradient difference",
                    "value": row["gradient_error"],
                    "unit": "relative",
                }
            else:
                yield label | {
                    "variant": row["method"],
                    "quantity": "step",
                    "value": 1000 * row["seconds"],
                    "unit": "ms",
                }


# --- agreement and resuming --------------------------------------------------------------------


def agreement(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Losses of the same training on CPU and GPU."""
    variants = {
        "CPU fp32": ("cpu", "fp32"),
        "GPU fp32": (sizes.device, "fp32"),
        "GPU bf16": (sizes.device, "bf16"),
    }
    losses = {}
    for variant, (device, precision) in variants.items():
        run = make_run(
            model_entry("S/32", sizes.image),
            sizes.agreement_batch,
            sizes.agreement_steps,
            folder / variant.replace(" ", "-"),
            device=device,
            precision=precision,
            parts=1,
            fixed=False,
        )
        run.go()
        losses[variant] = [row["loss"] for row in run.training.log.rows]
        case = {
            "section": "agreement",
            "case": f"ViT-S/32, batch {sizes.agreement_batch}",
            "variant": variant,
        }
        yield case | {"quantity": "first loss", "value": losses[variant][0], "unit": "nats"}
        yield case | {
            "quantity": f"loss of step {sizes.agreement_steps}",
            "value": losses[variant][-1],
            "unit": "nats",
        }
        gap = max(abs(mine - cpu) for mine, cpu in zip(losses[variant], losses["CPU fp32"], strict=True))
        yield case | {"quantity": "largest difference from the CPU", "value": gap, "unit": "nats"}


def resume(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """A training in one go and one resumed from a checkpoint: digests of the weights."""
    torch.use_deterministic_algorithms(True)
    try:
        for precision in ("fp32", "bf16"):
            whole = digest_after(sizes, folder / "whole", precision, interrupted=False)
            resumed = digest_after(sizes, folder / "resumed", precision, interrupted=True)
            yield {
                "section": "resume",
                "case": f"ViT-S/32, 20 steps, {precision}",
                "variant": "interrupted after 10",
                "quantity": "same bytes",
                "value": int(whole == resumed),
                "unit": "1 = yes",
            }
    finally:
        torch.use_deterministic_algorithms(False)


def digest_after(sizes: Sizes, folder: Path, precision: str, *, interrupted: bool) -> str:
    """The sha256 of the weights after 20 steps."""

    def start() -> Run:
        return make_run(
            model_entry("S/32", sizes.image),
            sizes.agreement_batch,
            20,
            folder,
            device=sizes.device,
            precision=precision,
            parts=1,
            fixed=False,
        )

    run = start()
    if interrupted:
        run.settings = dataclasses.replace(run.settings, steps=10)
        run.go()
        checkpoints = Checkpoints(folder, "benchmark", minutes=60)
        checkpoints.save(run.training.step, run.training.state_dict())
        run = start()
        run.training.load_state_dict(checkpoints.load())
    run.go()
    digest = hashlib.sha256()
    for name, value in run.training.model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


# --- the whole ---------------------------------------------------------------------------------

SECTIONS: dict[str, Callable[[Sizes, Path], Iterator[Row]]] = {
    section.__name__: section for section in (resume, agreement, fairclip, pretraining)
}


def environment(sizes: Sizes) -> Iterator[Row]:
    """The hardware and the versions that the figures hold for."""
    facts = {
        "device": "cpu" if sizes.device == "cpu" else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "CUDA": torch.version.cuda or "none",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }
    for quantity, value in facts.items():
        yield {
            "section": "environment",
            "case": "",
            "variant": "",
            "quantity": quantity,
            "value": value,
            "unit": "",
        }


def measure_all(sizes: Sizes, out: Path, chosen: Sequence[str]) -> int:
    """Run the chosen sections, each row written as it comes; the number of sections that failed."""
    rows, failed = list(environment(sizes)), 0
    with tempfile.TemporaryDirectory() as scratch:
        for section in (SECTIONS[name] for name in chosen):
            start = time.perf_counter()
            try:
                for row in section(sizes, Path(scratch, section.__name__)):
                    rows.append(row)
                    print(" | ".join(_text(row[field]) for field in FIELDS), flush=True)
                    write_rows(out / "results.csv", rows)
            except Exception:
                failed += 1
                traceback.print_exc()
            print(f"{section.__name__}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return failed


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write the rows so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for results.csv")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes on the processor: a check of the script"
    )
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    options = parser.parse_args()
    if not options.quick and not torch.cuda.is_available():
        sys.exit("benchmarks/gpu: torch finds no GPU; run this on a machine that has one, or add --quick")
    return measure_all(QUICK if options.quick else FULL, options.out, options.sections)


if __name__ == "__main__":
    sys.exit(main())
