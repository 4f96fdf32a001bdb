"""Conditions: which examples of annotated data a model is trained on, and how that changes the data's biases.

A condition gives each example a weight q in [0, Q] and keeps it when a hash of its key falls under
q / Q, so that the kept examples depend neither on the order nor on the shards. Shards are never rewritten:
a condition is a list of keys.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from clipfair.balance.condition_audit import audit_condition
from clipfair.balance.condition_data import read_condition_data
from clipfair.balance.keep_list import write_keep_list
from clipfair.balance.table import AnnotationTable, SelectedRows
from clipfair.balance.weigher import write_dual
from clipfair.balance.weight_rules import make_rule
from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.plan.condition_settings import parse_condition


def make_condition(
    annotations: Sequence[str | Path],
    *,
    kind: str,
    settings: Mapping[str, object],
    seed: int,
    keep_path: str | Path,
    audit_path: str | Path,
    dual_path: str | Path,
    rewritten: Sequence[str | Path] | None = None,
    within: str | Path | None = None,
) -> None:
    """Write the keep-list of a condition, and the audit of its biases.

    Parameters
    ----------
    annotations
        One parquet a shard, with a unique ``key`` over all, and attributes as
        :func:`clipfair.balance.attributes.find_columns` reads them. Kinds ``quality`` and ``drop_human``
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
    condition = parse_condition(kind, settings)
    _check_rewritten(kind, rewritten, shards=len(annotations))
    keys = None if within is None else pq.read_table(within, columns=["key"])["key"].combine_chunks()
    tables = [AnnotationTable(path) if keys is None else SelectedRows(path, keys) for path in annotations]
    data = read_condition_data(tables, condition)
    rule = make_rule(kind, tables, condition, data)
    sums = write_keep_list(tables, rule, data.layout, seed=seed, keep_path=keep_path, rewritten=rewritten)
    if rule.weigher is None:
        write_json(dual_path, None)
    else:
        write_dual(dual_path, rule.weigher)
    made_by = {"kind": kind, "settings": condition.model_dump(), "seed": seed}
    write_json(audit_path, made_by | audit_condition(data, sums, rule))


def _check_rewritten(kind: str, rewritten: Sequence[str | Path] | None, *, shards: int) -> None:
    if (kind == "neutralise") != (rewritten is not None):
        raise UserError(f"kind {kind!r}: rewritten captions belong to kind 'neutralise', which needs them")
    if rewritten is not None and len(rewritten) != shards:
        raise UserError(f"{len(rewritten)} files of rewritten captions for {shards} shards: give one each")
