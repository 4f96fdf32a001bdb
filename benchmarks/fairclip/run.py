"""Measure FairCLIP: a step as released against ours, distances by Sinkhorn against exact ones.

    python benchmarks/fairclip/run.py --data FOLDER [--models small ViT-B-32] [--threads 1]

generates fundus images of 512 x 512 pixels with notes in FOLDER (in the format of Harvard-FairVLMed), and
writes results.csv next to this file, one measurement per row. Seconds are CPU time (wall time on a GPU), the
median of the repetitions.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd
import torch
from reference import released_loss
from torch import Tensor, nn

from clipfair.core.io import write_parquet
from clipfair.data.datasets import harvard_fairvlmed
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from clipfair.data.images import open_image
from clipfair.metrics.distances import group_distances
from clipfair.metrics.evaluated_distances import EXACT
from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from clipfair.plan.configuration.methods import VARIANTS
from clipfair.tables.common.table_files import write_table
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.objective import FairclipObjective
from clipfair.train.finetuning.batches import GroupedBatches
from clipfair.train.finetuning.examples import Examples, cut_texts, read_splits
from clipfair.train.interfaces import Batch

BATCH = 32
SINKHORN = {"p": 2, "blur": 1e-4, "scaling": 0.95, "diameter": None}
METHODS = {
    "a-fairclip": {"square": False, "divide_group": False},
    "fairclip-released": {"square": True, "divide_group": True},
}
LAMS = {"a-fairclip": 0.07, "fairclip-released": 1e-7}
SMALL = {"kind": "small", "width": 32, "dim": 64, "words": "embedded", "length": 48, "size": 32}
RECIPE = {
    "label": "glaucoma",
    "attributes": ["race"],
    "max_characters": 180,
    "splits": {
        "train": {"split": "train"},
        "validation": {"split": "val"},
        "test": {"split": "test"},
    },
}


def clock() -> float:
    """Wall time with a GPU, CPU time of this process without; seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def seconds(function: Callable[[], object], repetitions: int) -> float:
    """The median time of a call, after one warm-up call if there are several repetitions."""
    if repetitions > 1:
        function()
    found = []
    for _ in range(repetitions):
        start = clock()
        function()
        found.append(clock() - start)
    return median(found)


# --- distances --------------------------------------------------------------------------------


def distances(n: int, groups: int, repetitions: int) -> Iterator[dict]:
    """Value and gradient of ``groups`` distances, n scores of about 25 (cosines x 100) against n each."""
    generator = torch.Generator().manual_seed(0)
    population = (25 + 3 * torch.randn(n, generator=generator)).requires_grad_()
    others = [25.5 + 3 * torch.randn(n, generator=generator) for _ in range(groups)]
    exact = group_distances(EXACT, population.double(), [other.double() for other in others]).detach()
    entries = {
        "exact": EXACT,
        **{
            f"{kind} {scaling}": {**SINKHORN, "kind": kind, "scaling": scaling}
            for kind in ("sinkhorn", "geomloss")
            for scaling in (0.5, 0.95)
        },
    }
    for name, entry in entries.items():

        def step(entry: Mapping = entry) -> None:
            torch.autograd.grad(group_distances(entry, population, others).sum(), population)

        error = (group_distances(entry, population, others).detach() / exact - 1).abs().max().item()
        yield {
            "what": "distance",
            "case": f"{n} x {n}, {groups} groups",
            "method": name,
            "seconds": seconds(step, repetitions),
            "error": error,
        }


# --- steps ------------------------------------------------------------------------------------


def make_data(folder: Path) -> Path:
    """Generate the images and their prepared table, if they do not exist."""
    path = folder / "table.parquet"
    if not path.is_file():
        settings = make_settings("fundus", {"size": 512, "train": 400, "validation": 30, "test": 60})
        generate_world("fundus", settings, 0, folder / "fundus")
        write_parquet(path, harvard_fairvlmed.load(folder / "fundus"))
    return path


class ReleasedLoader:
    """Batches as in the released loaders: every file is opened and prepared at every step."""

    def __init__(self, train: Examples, folder: str, built: BuiltModel, device: str):
        self.rows = train.table.to_dict("records")
        self.texts = cut_texts(train.table, RECIPE["max_characters"])
        self.folder, self.built, self.device = folder, built, device

    def pairs(self, positions: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Prepared images and tokens."""
        images = [self.built.preprocess(open_image(self.rows[i], folder=self.folder)) for i in positions]
        tokens = self.built.tokenizer([self.texts[i] for i in positions])
        return torch.stack(images).to(self.device), tokens.to(self.device)


@dataclass(frozen=True)
class Case:
    """A model with its data."""

    name: str
    built: BuiltModel
    train: Examples
    loader: ReleasedLoader
    device: str
    repetitions: int

    def batches(self) -> GroupedBatches:
        """Our batches, with a group batch of each race."""
        groups = list(self.train.members("race").values())
        return GroupedBatches(
            self.train, self.built, groups, batch_size=BATCH, group_batch_size=BATCH, seed=0
        )

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """Decode the first batch and its group batches as the released loaders do."""
        batch, groups = next(self.batches().positions())
        return [self.loader.pairs(part) for part in (batch, *groups)]


def make_case(name: str, entry: Mapping, data: Path, repetitions: int) -> Case:
    """Build the model and decode the images."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    built = build(entry, None, 0)
    built.model.to(device).eval()
    table = {"raw": str(data / "fundus"), "table": str(make_data(data))}
    train = read_splits(RECIPE, table, built, subsample=None, seed=0, cache=data / "cache")["train"]
    return Case(name, built, train, ReleasedLoader(train, table["raw"], built, device), device, repetitions)


def steps(case: Case, method: str) -> Iterator[dict]:
    """Our step and the released one: their differences, and their times from files and from memory."""
    model, variant, lam = case.built.model, VARIANTS[method], LAMS[method]
    objective = FairclipObjective(
        {**variant.model_dump(), "precision": "fp32"},
        {"lam": lam, "weights": {"race": 1}},
        ["race"] * 3,
        case.built,
        DeferredChecks(),
    )
    sinkhorn = {key: value for key, value in variant.model_dump()["distance"].items() if key != "kind"}
    batches, first, pairs = iter(case.batches()), next(iter(case.batches())).to(case.device), case.pairs()

    def ours(batch: Batch) -> Tensor:
        return objective.terms(model, batch)["loss"]

    def released(pairs: list) -> Tensor:
        return released_loss(model, pairs[0], pairs[1:], lam=lam, sinkhorn=sinkhorn, **METHODS[method])

    row = {"what": "step", "case": f"{case.name}, {method}"}
    yield {**row, "method": "difference", **difference(model, lambda: ours(first), lambda: released(pairs))}
    optimiser = torch.optim.Adam(model.parameters(), lr=0.0)

    def step(loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    for what, taken in {
        "ours": lambda: step(ours(next(batches).to(case.device))),
        "ours, data in memory": lambda: step(ours(first)),
        "released": lambda: step(released(case.pairs())),
        "released, data in memory": lambda: step(released(pairs)),
    }.items():
        passed = seconds(taken, case.repetitions)
        yield {**row, "method": what, "seconds": passed, "images_per_second": BATCH / passed}


def difference(model: nn.Module, ours: Callable[[], Tensor], released: Callable[[], Tensor]) -> dict:
    """Relative differences of the loss, and of the gradient of all parameters in the Euclidean norm."""
    found = []
    for loss in (ours, released):
        model.zero_grad()
        value = loss()
        value.backward()
        found.append(
            (value.item(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
        )
    (our_loss, our_gradient), (their_loss, their_gradient) = found
    gap = ((our_gradient - their_gradient).norm() / their_gradient.norm()).item()
    return {"loss": their_loss, "error": abs(our_loss / their_loss - 1), "gradient_error": gap}


def parts(case: Case) -> Iterator[dict]:
    """The time of each part of a step."""
    model, pairs = case.built.model, case.pairs()
    joined = tuple(torch.cat(sides) for sides in zip(*pairs[1:], strict=True))

    @torch.no_grad()
    def encode(images: Tensor, texts: Tensor) -> None:
        model.encode_image(images)
        model.encode_text(texts)

    def train_one() -> None:
        model.zero_grad()
        images, texts = pairs[0]
        (model.encode_image(images).sum() + model.encode_text(texts).sum()).backward()

    for what, part in {
        "part: decoding of all four batches": case.pairs,
        "part: forward and backward of the batch": train_one,
        "part: forward of three groups, separately": lambda: [encode(*group) for group in pairs[1:]],
        "part: forward of three groups, together": lambda: encode(*joined),
    }.items():
        passed = seconds(part, case.repetitions)
        yield {"what": "step", "case": case.name, "method": what, "seconds": passed}


def main() -> None:
    """Measure and write results.csv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder for the images (0.4 GB)")
    parser.add_argument(
        "--models", nargs="*", default=["small", "ViT-B-32"], help="small, or open_clip's names"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []

    def keep(found: Iterator[dict]) -> None:
        for row in found:
            print(row, flush=True)
            rows.append(row)

    keep(distances(32, 3, 20))
    keep(distances(2000, 1, 1))
    for name in options.models:
        entry = SMALL if name == "small" else {"kind": "open_clip", "architecture": name}
        is_fast = name == "small" or torch.cuda.is_available()
        case = make_case(name, entry, options.data, 20 if is_fast else 1)
        for method in METHODS if is_fast else ["a-fairclip"]:
            keep(steps(case, method))
        keep(parts(case))
    write_table(Path(__file__).with_name("results.csv"), pd.DataFrame(rows), "synthetic")


if __name__ == "__main__":
    main()
