"""All evaluations of all runs of one batch, from their embeddings."""

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError, progress
from clipfair.core.io import sha256_of, write_json, write_parquet
from clipfair.core.paths import Run
from clipfair.data.rows import IMAGE_COLUMNS, read_table, support_rows, test_rows
from clipfair.evaluate.embed.files import Checkpoint, Images, read_checkpoints, read_images, read_texts
from clipfair.evaluate.protocol import Embedded, Result, Sample
from clipfair.evaluate.texts import AT_EVERY_CHECKPOINT, text_sets


def evaluate_runs(
    embeddings: str,
    tables: Mapping[str, str],
    evaluations: Mapping[str, Mapping],
    runs: Sequence[Mapping],
    out_dir: str,
) -> None:
    """Write ``seed~<s>/on~<evaluation>/metrics.json`` and ``scores.parquet`` for each run and evaluation.

    Parameters
    ----------
    embeddings
        The folder of the batch's embeddings.
    tables
        Dataset -> its prepared table.
    evaluations
        id -> line of the registry.
    runs
        The seven levels of each run of the batch.

    Raises
    ------
    UserError
        If an embedding is missing, or of another model or table, or an evaluation asks for what is not there.
    """
    loaded = {name: read_table(path, less=IMAGE_COLUMNS) for name, path in tables.items()}
    digests = {name: sha256_of(path) for name, path in tables.items()}
    of_run = {run: read_checkpoints(embeddings, run) for run in (Run(**levels) for levels in runs)}
    for name, line in progress(evaluations.items(), unit="evaluation"):
        dataset = line["dataset"]
        chosen = Chosen(loaded[dataset], digests[dataset], line, name)
        for run, checkpoints in of_run.items():
            evaluated = [
                checkpoint
                for checkpoint in checkpoints
                if checkpoint.final or line["kind"] in AT_EVERY_CHECKPOINT
            ]
            found = {
                checkpoint: evaluate_checkpoint(embeddings, checkpoint, chosen) for checkpoint in evaluated
            }
            _write(Path(out_dir, f"seed~{run.seed}", f"on~{name}"), chosen, found)


class Chosen:
    """What one evaluation asks of a table, found once for all checkpoints."""

    def __init__(self, table: pd.DataFrame, digest: str, line: Mapping, name: str):
        self.line, self.name, self.digest = line, name, digest
        self.kind = importlib.import_module(f"clipfair.evaluate.kinds.{line['kind']}")
        test, support = test_rows(line, table), support_rows(line, table)
        self.test = table[test].reset_index(drop=True)
        self.support = table[support].reset_index(drop=True) if support.any() else None
        self.texts = {part: texts.digest for part, texts in text_sets(line, table).items()}

    def rng(self) -> np.random.Generator:
        """The same for every checkpoint and run, so that the same examples are drawn again."""
        return np.random.default_rng(int(hashlib.sha256(self.name.encode()).hexdigest()[:16], 16))


def evaluate_checkpoint(embeddings: str, checkpoint: Checkpoint, chosen: Chosen) -> Result:
    """One evaluation of one checkpoint."""
    dataset = chosen.line["dataset"]
    seen = read_images(embeddings, checkpoint, dataset, data_digest=chosen.digest)
    embedded = Embedded(
        test=_sample(chosen.test, seen, dataset),
        support=None if chosen.support is None else _sample(chosen.support, seen, dataset),
        texts={part: read_texts(embeddings, checkpoint, digest) for part, digest in chosen.texts.items()},
        scale=checkpoint.scale,
        bias=checkpoint.bias,
        seed=checkpoint.run.seed,
    )
    return chosen.kind.evaluate(embedded, chosen.line, chosen.rng())


def _sample(table: pd.DataFrame, seen: Images, dataset: str) -> Sample:
    place = pd.Index(seen.keys).get_indexer(table["key"])
    if (place < 0).any():
        raise UserError(
            f"embeddings of {dataset}: {(place < 0).sum():,} of {len(table):,} examples are not there, the "
            f"first {table['key'][(place < 0).argmax()]!r}; delete the batch's folder and embed it again"
        )
    return Sample(table, seen.images[place], seen.features[place])


def _write(folder: Path, chosen: Chosen, found: Mapping[Checkpoint, Result]) -> None:
    final = max(found, key=lambda checkpoint: checkpoint.final)
    record = {
        "run": asdict(final.run),
        "evaluation": chosen.name,
        "kind": chosen.line["kind"],
        "dataset": chosen.line["dataset"],
        "split": chosen.line["split"],
        "model_digest": final.digest,
        "data_digest": chosen.digest,
        "rows": [
            {"examples": checkpoint.examples, **row}
            for checkpoint, result in found.items()
            for row in result.rows
        ],
    }
    scores = [
        result.scores.assign(examples=checkpoint.examples)
        for checkpoint, result in found.items()
        if len(result.scores)
    ]
    if scores:
        write_parquet(folder / "scores.parquet", pd.concat(scores, ignore_index=True))
    write_json(folder / "metrics.json", record)
