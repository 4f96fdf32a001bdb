"""All evaluations of all runs of one batch, from their embeddings."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError, progress
from clipfair.core.io import sha256_of
from clipfair.core.paths import Run
from clipfair.data.rows import IMAGE_COLUMNS, read_table, select_rows, select_support
from clipfair.evaluate.embed.files import (
    Checkpoint,
    ImageEmbeddings,
    read_checkpoints,
    read_images,
    read_texts,
)
from clipfair.evaluate.outputs import make_generator, write_evaluation
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
        id -> entry of the configuration.
    runs
        The seven levels of each run of the batch.

    Raises
    ------
    UserError
        If an embedding is missing or is of another model or table, or a setting of an evaluation is wrong.
    """
    loaded = {name: read_table(path, exclude=IMAGE_COLUMNS) for name, path in tables.items()}
    digests = {name: sha256_of(path) for name, path in tables.items()}
    checkpoints = {run: read_checkpoints(embeddings, run) for run in (Run(**levels) for levels in runs)}
    for name, settings in progress(evaluations.items(), unit="evaluation"):
        dataset = settings["dataset"]
        evaluation = PreparedEvaluation(loaded[dataset], digests[dataset], settings, name)
        for run, of_run in checkpoints.items():
            evaluated = [
                checkpoint
                for checkpoint in of_run
                if checkpoint.final or settings["kind"] in AT_EVERY_CHECKPOINT
            ]
            results = {
                checkpoint.examples: evaluate_checkpoint(embeddings, checkpoint, evaluation)
                for checkpoint in evaluated
            }
            write_evaluation(
                Path(out_dir, f"seed~{run.seed}", f"on~{name}"),
                results,
                run=asdict(run),
                evaluation=name,
                settings=settings,
                model_digest=next(checkpoint.digest for checkpoint in evaluated if checkpoint.final),
                data_digest=digests[dataset],
            )


class PreparedEvaluation:
    """One evaluation with its kind, its rows of the table and its texts, which all checkpoints share.

    Parameters
    ----------
    table, digest
        The prepared table of its dataset, and the table's digest.
    settings, name
        The entry of the configuration and its id.
    """

    def __init__(self, table: pd.DataFrame, digest: str, settings: Mapping, name: str):
        self.settings, self.name, self.digest = settings, name, digest
        self.kind = importlib.import_module(f"clipfair.evaluate.kinds.{settings['kind']}")
        test, support = select_rows(settings, table), select_support(settings, table)
        self.test = table[test].reset_index(drop=True)
        self.support = table[support].reset_index(drop=True) if support.any() else None
        self.texts = {part: texts.digest for part, texts in text_sets(settings, table).items()}


def evaluate_checkpoint(embeddings: str, checkpoint: Checkpoint, evaluation: PreparedEvaluation) -> Result:
    """One evaluation of one checkpoint."""
    dataset, support = evaluation.settings["dataset"], evaluation.support
    resize = evaluation.settings.get("resize")
    images = read_images(embeddings, checkpoint, dataset, data_digest=evaluation.digest, resize=resize)
    embedded = Embedded(
        test=_select(evaluation.test, images, dataset),
        support=None if support is None else _select(support, images, dataset),
        texts={part: read_texts(embeddings, checkpoint, digest) for part, digest in evaluation.texts.items()},
        scale=checkpoint.scale,
        bias=checkpoint.bias,
        seed=checkpoint.run.seed,
    )
    return evaluation.kind.evaluate(embedded, evaluation.settings, make_generator(evaluation.name))


def _select(table: pd.DataFrame, embeddings: ImageEmbeddings, dataset: str) -> Sample:
    """The embeddings of the rows of a table, matched by key."""
    place = pd.Index(embeddings.keys).get_indexer(table["key"])
    if (place < 0).any():
        raise UserError(
            f"embeddings of {dataset}: {(place < 0).sum():,} of {len(table):,} examples are missing, the "
            f"first {table['key'][(place < 0).argmax()]!r}; delete the batch's folder and embed it again"
        )
    return Sample(table, embeddings.images[place], embeddings.features[place])
