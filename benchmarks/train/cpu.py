"""Images/s of our training loop on a CPU, compared with a bare loop and open_clip's training loop.

    python benchmarks/train/cpu.py RAW KEEP SCRATCH

RAW is the folder of the synthetic dataset embedded-web (shards/*.tar), KEEP a keep-list of it. Prints JSON
lines.
"""

import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import torch

from clipfair.data.shards import find_shards, read_index
from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.interfaces import Process
from clipfair.train.kinds.pretrain import make_parts
from clipfair.train.log import TrainingLog
from clipfair.train.loop import LoopSettings, TrainingState, run_loop
from clipfair.train.optimisers import make_optimiser
from clipfair.train.schedules import make_schedule

SMALL = {"kind": "small", "size": 32, "width": 32, "dim": 32, "words": "embedded", "length": 48}
# A model that both can build; 16 tokens of CLIP's vocabulary.
VIT = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
STEPS, BATCH = 100, 128
RECIPE = {
    "batch_size": BATCH,
    "examples": STEPS * BATCH,
    "optimiser": "adamw",
    "learning_rate": 0.001,
    "weight_decay": 0.1,
    "betas": [0.9, 0.98],
    "eps": 1e-6,
    "schedule": "cosine",
    "warmup": 10,
    "clip": 1.0,
}


def vit() -> BuiltModel:
    """The model of ``VIT`` with CLIP's tokens."""
    import open_clip

    from clipfair.models import tokenizers
    from clipfair.models.build import SYMMETRIC, with_preprocessing

    torch.manual_seed(0)
    return with_preprocessing(
        open_clip.CLIP(**VIT), tokenizers.clip_tokenizer(16), 32, SYMMETRIC, resizing="squash"
    )


def parts_of(built: BuiltModel, raw: str, keep: str, scratch: str, **recipe: object):
    settings = {
        "run": {"seed": 0},
        "recipe": RECIPE | recipe,
        "method": {"settings": {"loss": "softmax", "temperature": 10, "bias": None}},
        "stages": [{"balance": "all", "share": 1}],
    }
    data = {"raw": raw, "keep": [keep], "cache": scratch}
    return make_parts(settings, data, built, process=Process(), out={}, scratch=scratch)


def engine(built: BuiltModel, parts, scratch: str, steps: int = STEPS) -> float:
    """Images/s of our loop with its loader, log and checks."""
    named = list(built.model.named_parameters())
    training = TrainingState(
        built.model, parts, make_optimiser(RECIPE, named), [p for _, p in named], TrainingLog(10, BATCH)
    )
    parts.objective.prepare(built.model)
    settings = LoopSettings(
        steps, 1, 1e-3, 1.0, "fp32", frozenset(), 1, failure=str(Path(scratch, "failure.json"))
    )
    checkpoints = Checkpoints(Path(scratch, "bench"), "spec", minutes=10)
    return timed(
        lambda: run_loop(
            training,
            make_schedule(RECIPE, steps),
            settings,
            process=Process(),
            checkpoints=checkpoints,
            save_snapshot=lambda *_: None,
        ),
        steps,
    )


def bare(built: BuiltModel, parts, steps: int = STEPS) -> float:
    """Images/s of forward, backward, clipping and update alone, on batches in memory."""
    batches = [batch for batch, _ in zip(parts.source, range(20), strict=False)]
    named = list(built.model.named_parameters())
    optimiser, trained = make_optimiser(RECIPE, named), [p for _, p in named]
    parts.objective.prepare(built.model)

    def loop() -> None:
        for step in range(steps):
            for parameter in trained:
                parameter.grad = None
            parts.objective.terms(built.model, batches[step % len(batches)])["loss"].backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step(1.0)

    return timed(loop, steps)


def timed(run, steps: int) -> float:
    """Images per second of this process's CPU time, which depends less on other work on the machine."""
    start = time.process_time()
    run()
    return steps * BATCH / (time.process_time() - start)


def open_clip_train(raw: str, scratch: str) -> dict:
    """open_clip's own training of ``VIT``: images/s of its epoch, peak memory of its process."""
    config = Path(scratch, "bench-vit.json")
    config.write_text(json.dumps(VIT))
    program = (
        "import open_clip, sys; open_clip.add_model_config(sys.argv[1]); "
        "import time, torch; torch.set_num_threads(1); import open_clip_train.main as m\n"
        "one = m.train_one_epoch\n"
        "def timed(*given, **named):\n"
        "    start = time.process_time(); one(*given, **named); print('TRAIN', time.process_time() - start)\n"
        "m.train_one_epoch = timed; m.main(sys.argv[2:])\n"
        "import resource; print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    arguments = [
        *("--model", "bench-vit", "--dataset-type", "csv", "--device", "cpu", "--precision", "fp32"),
        *("--train-data", _as_files(raw, scratch), "--csv-separator", ","),
        *("--batch-size", str(BATCH), "--epochs", "1", "--workers", "1", "--lr", "0.001", "--wd", "0.1"),
        *("--warmup", "10", "--grad-clip-norm", "1.0", "--log-every-n-steps", "10"),
        *("--logs", f"{scratch}/bench-logs", "--save-frequency", "0"),
    ]
    made = subprocess.run(
        [sys.executable, "-c", program, str(config), *arguments], capture_output=True, text=True, check=False
    )
    found = dict(re.findall(r"^(TRAIN|PEAK) ([\d.]+)$", made.stdout, flags=re.MULTILINE))
    if len(found) < 2:
        raise SystemExit(made.stderr[-2000:])
    speed = STEPS * BATCH / float(found["TRAIN"])
    return {"images_per_second": round(speed), "peak_mb": round(int(found["PEAK"]) / 1024)}


def measure_separately(raw: str, keep: str, scratch: str) -> dict:
    """The same for our loop, from shards, in a separate process."""
    command = [sys.executable, __file__, "alone", raw, keep, scratch]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _print_separate_measurement(raw: str, keep: str, scratch: str) -> None:
    torch.set_num_threads(1)
    built = vit()
    speed = engine(built, parts_of(built, raw, keep, scratch, workers=1), scratch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"images_per_second": round(speed), "peak_mb": round(peak)}))


def _as_files(raw: str, scratch: str) -> str:
    """Write the pairs as files with a table: open_clip does not read shards with webdataset 1.0."""
    index = read_index(find_shards(raw), scratch)
    folder = Path(scratch, "bench-files")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for row in range(STEPS * BATCH):
        content, text = index.read(row)
        (folder / f"{row}.jpg").write_bytes(content)
        rows.append({"filepath": str(folder / f"{row}.jpg"), "title": text})
    pd.DataFrame(rows).to_csv(folder / "pairs.csv", index=False)
    return str(folder / "pairs.csv")


def main(raw: str, keep: str, scratch: str) -> None:
    torch.set_num_threads(1)
    Path(scratch).mkdir(parents=True, exist_ok=True)
    for name, make in (("small", lambda: build(SMALL, None, 0)), ("vit", vit)):
        found = {"bare": [], "in memory": [], "from shards, 1 worker": []}
        for _ in range(3):
            built = make()
            found["bare"].append(bare(built, parts_of(built, raw, keep, scratch, in_memory=True)))
            built = make()
            found["in memory"].append(
                engine(built, parts_of(built, raw, keep, scratch, in_memory=True), scratch)
            )
            built = make()
            found["from shards, 1 worker"].append(
                engine(built, parts_of(built, raw, keep, scratch, workers=1), scratch)
            )
        rounded = {how: [round(value) for value in sorted(values)] for how, values in found.items()}
        print(json.dumps({"model": name, "images_per_second": rounded}), flush=True)
    for _ in range(3):
        found = {
            "engine": measure_separately(raw, keep, scratch),
            "open_clip_train": open_clip_train(raw, scratch),
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "alone":
        _print_separate_measurement(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
