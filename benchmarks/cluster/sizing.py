"""What a study costs: GPU hours and disk of its trainings, GPU hours of its evaluations.

    PYTHONPATH=src python benchmarks/cluster/sizing.py paper --rows miap=100000 utkface=24000

Operations are those that torch counts in one forward pass of each model. A training step takes three times as
many for its batch, and one pass for the batch of each group; the splits are passed once an epoch. An
evaluation embeds its images once for each model; an augmented probe passes its
support in each epoch. Numbers of examples are those of the dataset catalogue.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipfair.core.catalogue import Dataset
from clipfair.core.paths import Run
from clipfair.evaluate.probe.head import ProbeSettings
from clipfair.models.build import build
from clipfair.plan.loading import load_study
from clipfair.plan.study_plan import StudyPlan

PAIRS = 8
WORD_PIECES = 30_522  # of bert-base-uncased


@dataclass(frozen=True)
class ModelCost:
    """Operations of a forward pass of one image and of one text, and the number of parameters."""

    image: float
    text: float
    parameters: int

    @property
    def pair(self) -> float:
        """Operations of an image and a text."""
        return self.image + self.text


def measure(line: dict) -> ModelCost:
    """The cost of a model, counted."""
    with tempfile.TemporaryDirectory() as folder:
        built = build(_with_vocabulary(line, folder), None, 0)
    model = built.model.train()  # in evaluation, attention is one operation that is not counted
    images = torch.zeros(PAIRS, 3, built.size, built.size)
    texts = built.tokenizer(["a picture"] * PAIRS)
    with FlopCounterMode(display=False) as counter:
        model.encode_image(images)
    of_images = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        model.encode_text(texts)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return ModelCost(of_images / PAIRS, counter.get_total_flops() / PAIRS, parameters)


def _with_vocabulary(line: dict, folder: str) -> dict:
    """The line with a vocabulary of the published size where its own would have to be fetched."""
    if line.get("tokenizer", {}).get("kind") != "bert":
        return line
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    path = Path(folder, "vocabulary.txt")
    path.write_text("\n".join([*special, *map(str, range(WORD_PIECES - len(special)))]))
    return {**line, "tokenizer": {**line["tokenizer"], "vocabulary": str(path)}}


class Sizing:
    """The costs of a study.

    Parameters
    ----------
    plan : the study.
    rows : numbers of examples of datasets whose catalogue entry has none.
    sustained : precision -> operations a second.
    """

    def __init__(self, plan: StudyPlan, rows: Mapping[str, int], sustained: Mapping[str, float]):
        self.plan, self.rows, self.sustained = plan, rows, sustained
        self.measured: dict[str, ModelCost] = {}

    def model(self, name: str) -> ModelCost:
        """The cost of a model, counted once."""
        if name not in self.measured:
            self.measured[name] = measure(self.plan.configuration.models[name].job_settings())
        return self.measured[name]

    def trainings(self) -> Iterator[tuple[str, str, int, float, float, float]]:
        """Of each batch that is trained: dataset, model, trainings, pairs each, GPU hours, GB kept."""
        for batch in filter(self.plan.is_trained, self.plan.batches):
            recipe, cost = self.plan.recipe_of(batch), self.model(batch.model)
            seeds = len(self.plan.seeds_of(batch))
            pairs, operations = self._training(batch)
            hours = operations / self.sustained[recipe.precision] / 3600
            size = (1 + len(recipe.snapshots)) * cost.parameters * 4 / 1e9
            yield batch.dataset, batch.model, seeds, pairs, seeds * hours, seeds * size

    def _training(self, batch: Run) -> tuple[float, float]:
        """Pairs and operations of one training."""
        recipe, cost = self.plan.recipe_of(batch), self.model(batch.model)
        if not recipe.fine_tunes:
            return recipe.examples, recipe.examples * 3 * cost.pair
        counts = {
            name: self._count(batch.dataset, {"split": rows.split, **(rows.where or {})})
            for name, rows in recipe.splits
        }
        attributes = self.plan.datasets[batch.dataset].attributes
        groups = sum(len(values) for name, values in attributes.items() if name in batch.attr.split("-"))
        passes = 3 + groups * (recipe.group_batch_size or 0) / recipe.batch_size
        of_epoch = passes * counts["train"] + counts["validation"] + counts["test"]
        return recipe.epochs * counts["train"], recipe.epochs * of_epoch * cost.pair

    def evaluations(self) -> Iterator[tuple[str, int, float, float]]:
        """Of each batch: model, models evaluated, images each, GPU hours."""
        evaluations = self.plan.configuration.evaluations
        for batch, grids in self.plan.batches.items():
            named = {name for grid in grids for name in grid.evaluations}
            images = sum(self._images(evaluations[name]) for name in named)
            seeds = len(self.plan.seeds_of(batch))
            hours = seeds * images * self.model(batch.model).image / self.sustained["fp32"] / 3600
            yield batch.model, seeds, images, hours

    def _images(self, evaluation) -> int:
        """The images that an evaluation passes, at most: its own, and its support once or in each epoch."""
        support = getattr(evaluation, "support", [])
        parts = support if isinstance(support, list) else [support]
        own = self._count(evaluation.dataset, {"split": evaluation.split, **(evaluation.where or {})})
        fitted = sum(self._count(evaluation.dataset, part) for part in parts)
        if getattr(evaluation, "augmented", False) and evaluation.head in (None, "lars"):
            fitted *= evaluation.epochs or ProbeSettings.epochs
        return min(own, getattr(evaluation, "images", None) or own) + fitted

    def _count(self, dataset: str, where: Mapping) -> int:
        """The examples that meet a condition, or the next wider one of which the catalogue has the number."""
        entry = self.plan.datasets[dataset]
        splits = where.get("split")
        if isinstance(splits, list):
            return sum(self._count(dataset, {**where, "split": split}) for split in splits)
        known = [count for count in entry.expected.counts if count.where.items() <= where.items()]
        whole = [] if entry.expected.rows is None else [entry.expected.rows]
        return min([count.rows for count in known] + whole or [self._given(entry)])

    def _given(self, entry: Dataset) -> int:
        if entry.id not in self.rows:
            raise SystemExit(
                f"the catalogue has no number of examples of {entry.id}; give --rows {entry.id}=<n>"
            )
        return self.rows[entry.id]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("--bf16", type=float, default=300, help="TFLOP/s that a GPU sustains in bf16")
    parser.add_argument("--fp32", type=float, default=30, help="TFLOP/s that a GPU sustains in fp32")
    parser.add_argument("--rows", nargs="*", default=[], help="<dataset>=<examples>")
    options = parser.parse_args()
    rows = {name: int(count) for name, _, count in (entry.partition("=") for entry in options.rows)}
    sustained = {"bf16": options.bf16 * 1e12, "fp32": options.fp32 * 1e12}
    sizing = Sizing(load_study(options.study), rows, sustained)
    _print_trainings(sizing)
    _print_evaluations(sizing)


def _print_trainings(sizing: Sizing) -> None:
    sums = defaultdict(lambda: [0, 0.0, 0.0])
    for dataset, model, count, pairs, hours, size in sizing.trainings():
        row = sums[dataset, model, pairs]
        row[:] = row[0] + count, row[1] + hours, row[2] + size
    print("| dataset | model | M parameters | GFLOP a pair | trainings | pairs each | GPU hours | GB kept |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (dataset, model, pairs), (count, hours, size) in sums.items():
        cost = sizing.model(model)
        costs = f"{cost.parameters / 1e6:.2f} | {cost.pair / 1e9:.3g}"
        print(f"| {dataset} | {model} | {costs} | {count} | {pairs:.3g} | {hours:,.3g} | {size:,.3g} |")
    count, hours, size = map(sum, zip(*sums.values(), strict=True))
    print(f"| all | | | | {count} | | {hours:,.3g} | {size:,.3g} |\n")


def _print_evaluations(sizing: Sizing) -> None:
    sums = defaultdict(lambda: [0, 0.0, 0.0])
    for model, count, images, hours in sizing.evaluations():
        row = sums[model]
        row[:] = row[0] + count, row[1] + count * images, row[2] + hours
    print("| model | GFLOP an image | models | images in all | GPU hours |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for model, (count, images, hours) in sums.items():
        print(f"| {model} | {sizing.model(model).image / 1e9:.3g} | {count} | {images:.3g} | {hours:,.3g} |")
    count, images, hours = map(sum, zip(*sums.values(), strict=True))
    print(f"| all | | {count} | {images:.3g} | {hours:,.3g} |")


if __name__ == "__main__":
    main()
