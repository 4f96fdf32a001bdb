"""Pretraining on image-text pairs (CLIP the Bias, section 4): a contrastive loss, in one or more stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from clipfair.core.errors import UserError
from clipfair.core.io import sha256_of
from clipfair.data.shards import PairIndex, find_shards, read_index
from clipfair.models.interface import BuiltModel
from clipfair.train.interfaces import Process, TrainingParts
from clipfair.train.order import ExampleOrder, ShuffledPasses, Stage, check_size, share_steps
from clipfair.train.pretraining.contrastive import ContrastiveObjective
from clipfair.train.pretraining.pairs import DecodedPairs, MemorySource, ShardSource, read_decoded


def make_parts(
    settings: Mapping,
    data: Mapping,
    built: BuiltModel,
    *,
    process: Process,
    out: Mapping[str, str],
    scratch: str,
) -> TrainingParts:
    """Return the parts of a pretraining.

    Parameters
    ----------
    settings
        Of the run. Its method has ``loss``, ``temperature`` and ``bias``; its recipe ``batch_size``,
        ``examples`` (seen in the whole training), ``accumulate``, and ``in_memory`` or ``workers`` (of each
        process) and ``open_shards``; ``stages`` has the ``balance`` and the ``share`` of each stage.
    data
        ``raw``: a folder with ``shards/NNNNN.tar``; ``keep``: the keep-list of each stage, a parquet with
        ``key`` and optionally ``text``; ``cache``: a folder that runs share.
    built, process, out, scratch
        The model, this process among all, and as for :func:`clipfair.train.run.train`.

    Raises
    ------
    UserError
        If keys of a keep-list are not in the shards, a batch is larger than a stage's data or cannot be
        divided, or there are fewer shards than workers of all processes.
    """
    recipe, cache = settings["recipe"], data.get("cache", scratch)
    accumulate = recipe.get("accumulate", 1)
    _check_batch_size(recipe["batch_size"], accumulate, process)
    method = settings["method"]["settings"]
    objective = ContrastiveObjective(
        loss=method["loss"],
        temperature=method.get("temperature"),
        bias=method.get("bias"),
        process=process,
    )
    pairs = _read_pairs(recipe, data["raw"], cache, built, process)
    order = ExampleOrder(_stages(settings, data, pairs.key, pairs.shard), recipe["batch_size"])
    if recipe.get("in_memory"):
        source = MemorySource(pairs, order, built, process=process, accumulate=accumulate)
    else:
        workers = recipe.get("workers", 0)
        source = ShardSource(pairs, order, built, process=process, accumulate=accumulate, workers=workers)
    return TrainingParts(
        source=source,
        objective=objective,
        batch_size=recipe["batch_size"],
        examples=recipe["examples"],
        accumulate=accumulate,
        facts=_facts(data, order, len(pairs.key)),
    )


def _read_pairs(
    recipe: Mapping, raw: str, cache: str, built: BuiltModel, process: Process
) -> DecodedPairs | PairIndex:
    if recipe.get("in_memory"):
        return read_decoded(raw, cache, built)
    shards, workers = find_shards(raw), recipe.get("workers", 0)
    if len(shards) < workers * process.world:
        raise UserError(
            f"recipes.yaml: {workers} workers x {process.world} processes are more readers than "
            f"{len(shards)} shards; lower workers, or set in_memory for a small dataset"
        )
    return read_index(shards, cache, workers=workers)


def _check_batch_size(batch_size: int, accumulate: int, process: Process) -> None:
    if batch_size % (process.world * accumulate):
        raise UserError(
            f"recipes.yaml: a batch of {batch_size} cannot be divided into {process.world} processes x "
            f"{accumulate} parts; change batch_size, gpus or accumulate"
        )


def _stages(settings: Mapping, data: Mapping, keys: np.ndarray, shards: np.ndarray) -> list[Stage]:
    recipe, stages = settings["recipe"], settings["stages"]
    by_key = np.argsort(keys)
    steps = share_steps([stage["share"] for stage in stages], recipe["examples"] // recipe["batch_size"])
    found = []
    for number, (stage, keep, count) in enumerate(zip(stages, data["keep"], steps, strict=True)):
        rows, texts = _read_keep(keep, keys, by_key, data["raw"])
        check_size(f"condition {stage['balance']!r}", len(rows), recipe["batch_size"])
        passes = ShuffledPasses(shards[rows], recipe.get("open_shards", 8), (settings["run"]["seed"], number))
        found.append(Stage(stage["balance"], rows, passes, count, texts))
    return found


def _read_keep(
    path: str, keys: np.ndarray, by_key: np.ndarray, raw: str
) -> tuple[np.ndarray, Sequence[str] | None]:
    """Return the rows of a keep-list's keys among ``keys``, and its texts, None if it has none."""
    table = pq.read_table(path)
    kept = table["key"].to_numpy(zero_copy_only=False).astype(str)
    rows = by_key[np.searchsorted(keys, kept, sorter=by_key).clip(max=len(keys) - 1)]
    missing = keys[rows] != kept
    if missing.any():
        raise UserError(
            f"{path}: {missing.sum():,} of {len(kept):,} keys (first {kept[missing.argmax()]}) are not in "
            f"{raw}/shards; make the condition again from this dataset"
        )
    return rows, table["text"].to_pylist() if "text" in table.column_names else None


def _facts(data: Mapping, order: ExampleOrder, pairs: int) -> dict:
    stages = [
        {
            "balance": stage.name,
            "examples": len(stage.rows),
            "steps": stage.steps,
            "passes": round(stage.steps * order.batch_size / len(stage.rows), 3),
            "keep_sha256": sha256_of(path),
        }
        for stage, path in zip(order.stages, data["keep"], strict=True)
    ]
    manifest = Path(data["raw"], "manifest.json")
    return {
        "raw": str(data["raw"]),
        "manifest_sha256": sha256_of(manifest) if manifest.is_file() else None,
        "pairs": pairs,
        "stages": stages,
    }
