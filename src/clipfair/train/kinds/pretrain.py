"""Pretraining on pairs (CLIP the Bias, section 4): a contrastive loss, one data condition or two in turn."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from clipfair.core.errors import UserError
from clipfair.core.io import sha256_of
from clipfair.data.shards import find_shards, read_index
from clipfair.models.interface import Built
from clipfair.train.order import Order, Passes, Stage, check_size, share_steps
from clipfair.train.pretraining.contrastive import Contrastive
from clipfair.train.pretraining.pairs import MemorySource, ShardSource, read_decoded
from clipfair.train.protocols import Parts, Place


def make_parts(
    settings: Mapping,
    data: Mapping,
    built: Built,
    *,
    place: Place,
    out: Mapping[str, str],
    scratch: str,
) -> Parts:
    """What the loop needs to pretrain a model.

    Parameters
    ----------
    settings
        Of the run. Its method has ``loss``, ``temperature`` and ``bias``; its recipe ``batch_size``,
        ``examples`` (seen in all), ``accumulate``, and ``in_memory`` or ``workers`` (a process) and
        ``open_shards``; ``stages`` has the ``balance`` and the ``share`` of each.
    data
        ``raw``: a folder with ``shards/NNNNN.tar``; ``keep``: the keep-list of each stage, a parquet with
        ``key`` and maybe ``text``; ``cache``: a folder that runs share.

    Raises
    ------
    UserError
        If keep-lists and shards do not belong together, a batch is larger than a stage's data, or shards
        are fewer than the workers of all processes.
    """
    recipe, cache = settings["recipe"], data.get("cache", scratch)
    accumulate = recipe.get("accumulate", 1)
    _check_parts(recipe["batch_size"], accumulate, place)
    method = settings["method"]["settings"]
    objective = Contrastive(
        loss=method["loss"],
        temperature=method.get("temperature"),
        bias=method.get("bias"),
        place=place,
    )
    if recipe.get("in_memory"):
        pairs = read_decoded(data["raw"], cache, built)
    else:
        shards = find_shards(data["raw"])
        _check_workers(len(shards), recipe.get("workers", 0), place)
        pairs = read_index(shards, cache, workers=recipe.get("workers", 0))
    order = Order(_stages(settings, data, pairs.key, pairs.shard), recipe["batch_size"])
    how = {"place": place, "accumulate": accumulate}
    if recipe.get("in_memory"):
        source = MemorySource(pairs, order, built, **how)
    else:
        source = ShardSource(pairs, order, built, workers=recipe.get("workers", 0), **how)
    return Parts(
        source=source,
        objective=objective,
        batch_size=recipe["batch_size"],
        examples=recipe["examples"],
        facts=_facts(data, order, len(pairs.key)),
    )


def _check_parts(batch_size: int, accumulate: int, place: Place) -> None:
    if batch_size % (place.world * accumulate):
        raise UserError(
            f"config.recipes: a batch of {batch_size} does not divide into {place.world} processes x "
            f"{accumulate} parts; change batch_size, gpus or accumulate"
        )


def _check_workers(shards: int, workers: int, place: Place) -> None:
    if shards < workers * place.world:
        raise UserError(
            f"config.recipes: {workers} workers x {place.world} processes for {shards} shards: more readers "
            "than shards; lower workers, or set in_memory for a small dataset"
        )


def _stages(settings: Mapping, data: Mapping, keys: np.ndarray, shards: np.ndarray) -> list[Stage]:
    recipe, stages = settings["recipe"], settings["stages"]
    by_key = np.argsort(keys)
    steps = share_steps([stage["share"] for stage in stages], recipe["examples"] // recipe["batch_size"])
    made = []
    for number, (stage, keep, count) in enumerate(zip(stages, data["keep"], steps, strict=True)):
        rows, texts = _read_keep(keep, keys, by_key, data["raw"])
        check_size(f"condition {stage['balance']!r}", len(rows), recipe["batch_size"])
        passes = Passes(shards[rows], recipe.get("open_shards", 8), (settings["run"]["seed"], number))
        made.append(Stage(stage["balance"], rows, passes, count, texts))
    return made


def _read_keep(
    path: str, keys: np.ndarray, by_key: np.ndarray, raw: str
) -> tuple[np.ndarray, Sequence[str] | None]:
    """The rows of a keep-list's keys among ``keys``, and their new texts if it has some."""
    table = pq.read_table(path)
    wanted = table["key"].to_numpy(zero_copy_only=False).astype(str)
    rows = by_key[np.searchsorted(keys, wanted, sorter=by_key).clip(max=len(keys) - 1)]
    strangers = keys[rows] != wanted
    if strangers.any():
        raise UserError(
            f"{path}: {strangers.sum():,} of {len(wanted):,} keys (first {wanted[strangers.argmax()]}) are "
            f"not in {raw}/shards: they do not belong together; make the condition again from this dataset"
        )
    return rows, table["text"].to_pylist() if "text" in table.column_names else None


def _facts(data: Mapping, order: Order, pairs: int) -> dict:
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
