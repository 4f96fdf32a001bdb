"""Conditions: selection of training examples from annotated data, and its effect on the biases of the data.

A condition gives each example a weight q in [0, Q] and keeps it when a hash of its key falls under
q / Q, so that the kept examples depend neither on the order nor on the shards. Shards are never rewritten:
a condition is a list of keys.

It is made in four steps: count the patterns of a group of shards, solve, sample a group of shards, join the
groups. :func:`make_condition` takes them all for a single group. The bytes of the result are the same for any
groups.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from clipfair.balance.condition_audit import audit_condition
from clipfair.balance.condition_data import count_patterns, merge_groups
from clipfair.balance.counts import write_counts
from clipfair.balance.keep_list import add_sums, join_keep_lists, write_keep_list
from clipfair.balance.key_hashes import repeated_hashes
from clipfair.balance.solved_condition import read_solved, solve_counts, write_solved
from clipfair.balance.table import AnnotationTable, SelectedRows, compare_keys
from clipfair.balance.weigher import write_dual
from clipfair.balance.weight_rules import check_columns, sorted_similarity
from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path, write_json
from clipfair.core.splitting import split_evenly
from clipfair.plan.condition_settings import parse_condition

Paths = Sequence[str | Path]

_GROUP_FILES = ("counts.npz", "similarity.npy", "solved.json", "keep.parquet", "hashes.npy", "sums.npy")


@dataclass(frozen=True)
class SampledGroup:
    """The files of a sampled group of shards.

    Attributes
    ----------
    annotations : the shards' annotations.
    keep : parquet, the keep-list, as :func:`~clipfair.balance.keep_list.write_keep_list` writes it.
    hashes, sums : arrays of numpy, those of :class:`~clipfair.balance.keep_list.SampledTables`.
    """

    annotations: Paths
    keep: str | Path
    hashes: str | Path
    sums: str | Path


def sampled_groups(annotations: Paths, keep: Paths, hashes: Paths, sums: Paths) -> list[SampledGroup]:
    """Return the groups that all annotations were split into evenly, from their files in order."""
    parts = split_evenly(annotations, len(keep))
    return [SampledGroup(*files) for files in zip(parts, keep, hashes, sums, strict=True)]


def count_group(
    annotations: Paths,
    *,
    kind: str,
    settings: Mapping[str, object],
    counts_path: str | Path,
    similarity_path: str | Path,
    within: str | Path | None = None,
) -> None:
    """Count the patterns of a group of shards, and sort the similarities of its examples if they are ranked.

    Parameters are those of :func:`make_condition`, and the files that :func:`solve_condition` reads.
    """
    condition = parse_condition(kind, settings)
    tables = _open_tables(annotations, within)
    check_columns(kind, tables)
    write_counts(counts_path, count_patterns(tables, condition))
    _write_array(similarity_path, sorted_similarity(kind, tables))


def solve_condition(
    counts: Paths,
    similarity: Paths,
    *,
    kind: str,
    settings: Mapping[str, object],
    solved_path: str | Path,
) -> None:
    """Solve a condition from the counts of all groups; memory depends on the number of patterns only."""
    ranked = [_map_array(path) for path in similarity]
    write_solved(
        solved_path, solve_counts(kind, parse_condition(kind, settings), merge_groups(counts), ranked)
    )


def sample_group(
    group: SampledGroup,
    *,
    solved_path: str | Path,
    seed: int,
    rewritten: Paths | None = None,
    within: str | Path | None = None,
) -> None:
    """Sample a group of shards by a solved condition; writes the files of the group."""
    solved = read_solved(solved_path)
    _check_rewritten(solved.kind, rewritten, shards=len(group.annotations))
    tables = _open_tables(group.annotations, within)
    sampled = write_keep_list(tables, solved, seed=seed, keep_path=group.keep, rewritten=rewritten)
    _write_array(group.hashes, sampled.hashes)
    _write_array(group.sums, sampled.sums)


def join_groups(
    groups: Sequence[SampledGroup],
    *,
    solved_path: str | Path,
    seed: int,
    keep_path: str | Path,
    audit_path: str | Path,
    dual_path: str | Path,
) -> None:
    """Write the files of a condition, as :func:`make_condition` describes them, from all sampled groups.

    Raises
    ------
    UserError
        If a key occurs twice.
    """
    _check_unique(groups, seed=seed)
    solved = read_solved(solved_path)
    filled = [group for group in groups if len(_map_array(group.sums))]
    join_keep_lists([group.keep for group in filled], keep_path)
    if solved.rule.weigher is None:
        write_json(dual_path, None)
    else:
        write_dual(dual_path, solved.rule.weigher)
    sums = add_sums((batch for group in filled for batch in _map_array(group.sums)), solved)
    made_by = {"kind": solved.kind, "settings": solved.settings.model_dump(), "seed": seed}
    write_json(audit_path, made_by | audit_condition(solved, sums))


def make_condition(
    annotations: Paths,
    *,
    kind: str,
    settings: Mapping[str, object],
    seed: int,
    keep_path: str | Path,
    audit_path: str | Path,
    dual_path: str | Path,
    rewritten: Paths | None = None,
    within: str | Path | None = None,
) -> None:
    """Write the keep-list of a condition, and the audit of its biases.

    Parameters
    ----------
    annotations
        One parquet a shard, with a unique ``key`` over all, and attributes as
        :func:`clipfair.balance.attributes.annotation_layout` reads them. Kinds ``quality`` and ``drop_human``
        need ``similarity`` and ``human``; the audit counts humans if every shard has ``human``.
    kind, settings
        The kind, and values for its model in :mod:`clipfair.plan.condition_settings`.
    seed
        Of the sampling.
    keep_path
        The keep-list in the order of the annotations, as
        :func:`~clipfair.balance.keep_list.write_keep_list` describes it.
    audit_path
        The audit as JSON. Versions are ``before``, ``after`` (weighted) and ``sample`` (the kept examples).
    dual_path
        For ``m4`` a file for :func:`clipfair.balance.weigher.read_dual`, which suffices to weigh further
        examples. For the other kinds, which solve nothing, null.
    rewritten
        For ``neutralise``: for each annotations a parquet with ``key`` and ``text``.
    within
        The keep-list of another condition. All other examples are ignored (section 4.4 balances the examples
        that a quality filter kept).

    Raises
    ------
    UserError
        On unknown or impossible settings, a missing column or text, or a key that occurs twice.
    """
    _check_rewritten(kind, rewritten, shards=len(annotations))
    condition = {"kind": kind, "settings": settings}
    with tempfile.TemporaryDirectory() as folder:
        counts, similarity, solved, *sampled = (Path(folder, name) for name in _GROUP_FILES)
        group = SampledGroup(annotations, *sampled)
        count_group(annotations, **condition, counts_path=counts, similarity_path=similarity, within=within)
        solve_condition([counts], [similarity], **condition, solved_path=solved)
        sample_group(group, solved_path=solved, seed=seed, rewritten=rewritten, within=within)
        join_groups(
            [group],
            solved_path=solved,
            seed=seed,
            keep_path=keep_path,
            audit_path=audit_path,
            dual_path=dual_path,
        )


def _open_tables(annotations: Paths, within: str | Path | None) -> list[AnnotationTable]:
    if within is None:
        return [AnnotationTable(path) for path in annotations]
    shards = [Path(path).stem for path in annotations]
    kept = pq.read_table(within, columns=["shard", "key"], filters=[("shard", "in", shards)])
    listed = kept.group_by("shard").aggregate([("key", "list")])
    keys_of = dict(zip(listed["shard"].to_pylist(), listed["key_list"], strict=True))
    return [
        SelectedRows(path, keys_of[shard].values if shard in keys_of else pa.array([], pa.string()))
        for path, shard in zip(annotations, shards, strict=True)
    ]


def _check_rewritten(kind: str, rewritten: Paths | None, *, shards: int) -> None:
    if (kind == "neutralise") != (rewritten is not None):
        raise UserError(f"kind {kind!r}: rewritten captions belong to kind 'neutralise', which needs them")
    if rewritten is not None and len(rewritten) != shards:
        raise UserError(f"{len(rewritten)} files of rewritten captions for {shards} shards: give one each")


def _check_unique(groups: Sequence[SampledGroup], *, seed: int) -> None:
    """Raise if a key occurs twice; only groups that share a hash are read again."""
    hashes = [_map_array(group.hashes) for group in groups]
    repeated = repeated_hashes(hashes)
    shards = [
        AnnotationTable(path)
        for group, part in zip(groups, hashes, strict=True)
        if len(repeated) and np.isin(repeated, part).any()
        for path in group.annotations
    ]
    compare_keys(shards, "key", repeated, seed=seed)


def _write_array(path: str | Path, values: np.ndarray) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, values)


def _map_array(path: str | Path) -> np.ndarray:
    """An array of a file, of which only what is used is read."""
    return np.load(path, mmap_mode="r")
