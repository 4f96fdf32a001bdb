"""What a study costs: GPU hours and disk of its trainings, from its grids and counted operations.

    PYTHONPATH=src python benchmarks/cluster/sizing.py paper --sustained 300 --rows harvard-fairvlmed=7000

Operations are those that torch counts in one forward pass of each model; training takes three times as many.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from clipfair.models.build import build
from clipfair.plan.loading import load_study

PAIRS = 8
WORD_PIECES = 30_522  # of bert-base-uncased


def measure(line: dict) -> tuple[float, int]:
    """Operations of a forward pass of one pair, and the number of parameters."""
    with tempfile.TemporaryDirectory() as folder:
        built = build(_with_vocabulary(line, folder), None, 0)
    model = built.model.train()  # in evaluation, attention is one operation that is not counted
    images = torch.zeros(PAIRS, 3, built.size, built.size)
    texts = built.tokenizer(["a picture"] * PAIRS)
    with FlopCounterMode(display=False) as counter:
        model.encode_image(images)
        model.encode_text(texts)
    return counter.get_total_flops() / PAIRS, sum(parameter.numel() for parameter in model.parameters())


def _with_vocabulary(line: dict, folder: str) -> dict:
    """The line with a vocabulary of the published size where its own would have to be fetched."""
    if line.get("tokenizer", {}).get("kind") != "bert":
        return line
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    path = Path(folder, "vocabulary.txt")
    path.write_text("\n".join([*special, *map(str, range(WORD_PIECES - len(special)))]))
    return {**line, "tokenizer": {**line["tokenizer"], "vocabulary": str(path)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument(
        "--sustained", type=float, default=300, help="TFLOP/s that training sustains on a GPU"
    )
    parser.add_argument("--rows", nargs="*", default=[], help="<dataset>=<examples of an epoch>")
    options = parser.parse_args()
    rows = {name: int(count) for name, _, count in (entry.partition("=") for entry in options.rows)}
    plan = load_study(options.study)
    measured: dict[str, tuple[float, int]] = {}
    sums = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for batch in plan.batches:
        if not plan.is_trained(batch):
            continue
        recipe = plan.recipe_of(batch)
        examples = recipe.examples or recipe.epochs * rows.get(batch.dataset, 0)
        if batch.model not in measured:
            measured[batch.model] = measure(plan.model_of(batch).job_settings())
        operations, parameters = measured[batch.model]
        seeds = len(plan.seeds_of(batch))
        kept = 1 + len(recipe.snapshots)
        row = sums[batch.dataset, batch.model, examples]
        row[0] += seeds
        row[1] += seeds * examples
        row[2] += seeds * examples * 3 * operations / (options.sustained * 1e12) / 3600
        row[3] += seeds * kept * parameters * 4 / 1e9
    print("| dataset | model | M parameters | GFLOP forward | models | pairs each | GPU hours | GB kept |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (dataset, model, examples), (count, _, hours, size) in sums.items():
        operations, parameters = measured[model]
        costs = f"{count} | {examples:.3g} | {hours:,.3g} | {size:,.3g}"
        print(f"| {dataset} | {model} | {parameters / 1e6:.2f} | {operations / 1e9:.3g} | {costs} |")
    count, _, hours, size = map(sum, zip(*sums.values(), strict=True))
    print(f"| all | | | | {count} | | {hours:,.3g} | {size:,.3g} |")


if __name__ == "__main__":
    main()
