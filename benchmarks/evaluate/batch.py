"""Time each part of a batch: embedding and evaluating models on the datasets of the study `embedded`.

    python benchmarks/evaluate/batch.py --seeds 3 --snapshots 3

Data are synthetic and weights random; the work does not depend on their values. The evaluations are those of
CLIP the Bias in the study.
"""

import argparse
import cProfile
import json
import pstats
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from clipfair.core import paths
from clipfair.core.catalogue import load_catalogue
from clipfair.core.paths import Run
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from clipfair.data.prepare import prepare_dataset
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.evaluation_jobs import evaluation_settings
from clipfair.plan.loading import load_study

KINDS = ("representation", "association", "zero_shot", "few_shot", "retrieval")
PARTS = {
    "chunks": "images opened",
    "load": "weights read",
    "tokenise": "texts tokenised",
    "encode_images": "image tower",
    "encode_texts": "text tower",
    "write_checkpoint": "embeddings written",
    "write_images": "embeddings written",
}


def make_data(config: Configuration, names: set[str], folder: Path) -> dict[str, dict[str, str]]:
    """Draw and prepare the datasets ``names``."""
    catalogue, places = load_catalogue(paths.CATALOGUE), {}
    for name in sorted(names):
        entry, raw, table = config.generated[name], folder / name, folder / f"{name}.parquet"
        generate_world(entry.part, make_settings(entry.part, entry.settings), entry.seed, raw)
        prepare_dataset(catalogue[entry.format], raw, table, subset=True)
        places[name] = {"table": str(table), "raw": str(raw)}
    return places


def make_models(settings: dict, seeds: int, snapshots: int, folder: Path) -> list[dict]:
    """Models with random weights, in the files that a training writes."""
    from safetensors.torch import save_file

    from clipfair.models.build import build

    found = []
    for seed in range(seeds):
        run = Run(dataset="embedded-web", balance="baseline", model="small", method="clip", seed=seed)
        place = folder / f"seed-{seed}"
        (place / "snapshots").mkdir(parents=True)
        files = [f"snapshots/{1000 * (number + 1)}" for number in range(snapshots)]
        for number, name in enumerate(["model", *files]):
            state = build(settings, None, 100 * seed + number).model.state_dict()
            save_file(state, place / f"{name}.safetensors")
        (place / "spec.json").write_text(json.dumps({"examples": 1000 * (snapshots + 1)}))
        files = {"weights": "model.safetensors", "snapshots": "snapshots", "spec": "spec.json"}
        places = {name: str(place / file) for name, file in files.items()}
        found.append({"run": asdict(run), "settings": settings, **places})
    return found


def measure(seeds: int, snapshots: int, model: str) -> None:
    """Print the seconds of each part."""
    config = load_study("embedded").configuration
    evaluations = {
        name: evaluation_settings(entry)
        for name, entry in config.evaluations.items()
        if entry.dataset in config.generated and entry.kind in KINDS
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = make_data(config, {line["dataset"] for line in evaluations.values()}, folder / "data")
        start = time.perf_counter()
        from clipfair.evaluate.embed.run import embed
        from clipfair.evaluate.run import evaluate_runs

        print(f"libraries imported: {time.perf_counter() - start:.2f} s")
        models = make_models(config.models[model].job_settings(), seeds, snapshots, folder / "models")
        profile = cProfile.Profile()
        start = time.perf_counter()
        profile.runcall(embed, models, data, evaluations, str(folder / "embed"))
        seconds = time.perf_counter() - start
        _print_parts(profile, seconds)
        start = time.perf_counter()
        tables = {name: places["table"] for name, places in data.items()}
        runs = [one["run"] for one in models]
        evaluate_runs(str(folder / "embed"), tables, evaluations, runs, str(folder / "out"))
        print(f"evaluation: {time.perf_counter() - start:.2f} s")


def _print_parts(profile: cProfile.Profile, seconds: float) -> None:
    parts: dict[str, float] = {}
    for (file, _, function), (_, _, _, cumulative, _) in pstats.Stats(profile).stats.items():
        if function in PARTS and "clipfair" in file:
            parts[PARTS[function]] = parts.get(PARTS[function], 0) + cumulative
    for part, of_part in parts.items():
        print(f"  {part}: {of_part:.2f} s ({of_part / seconds:.0%})")
    print(f"embedding: {seconds:.2f} s, of which {seconds - sum(parts.values()):.2f} s other")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--snapshots", type=int, default=3, help="per seed, in addition to the final weights")
    parser.add_argument("--model", default="small-32-r64", help="an entry of models")
    arguments = parser.parse_args()
    measure(arguments.seeds, arguments.snapshots, arguments.model)


if __name__ == "__main__":
    main()
