"""Weighting of examples for each kind of condition: the rule derived from the data, and the weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.audit import certificate_of
from clipfair.balance.condition_data import ConditionData
from clipfair.balance.ranks import value_at_rank
from clipfair.balance.table import AnnotationTable
from clipfair.balance.weigh import WeightFunction
from clipfair.balance.weigher import Weigher
from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Problem, max_rate, solve
from clipfair.m4.rate import RATE_MARGIN
from clipfair.plan.condition_settings import (
    ConditionSettings,
    M4ConditionSettings,
    ShareConditionSettings,
)


@dataclass(frozen=True)
class WeightRule:
    """Inputs of the weights of a condition besides its settings, as plain values.

    Attributes
    ----------
    max_weight : Q.
    notes : sentences about it for the audit.
    facts : values about it for the audit, by name.
    certificate : of M4 for the audit; empty for the other kinds.
    weigher : of M4; None for the other kinds.
    """

    max_weight: float = 1.0
    notes: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    certificate: Mapping[str, object] = field(default_factory=dict)
    weigher: Weigher | None = None


def make_rule(
    kind: str, settings: ConditionSettings, data: ConditionData, similarity: Sequence[np.ndarray]
) -> WeightRule:
    """The rule of a condition of ``kind``; ``similarity`` as :func:`sorted_similarity` gives it, by group."""
    if kind == "m4":
        return _balance(settings, data)
    if kind == "quality":
        return _quality(settings, similarity)
    if kind == "neutralise":
        note = "Captions were rewritten; the biases are those of the annotations, made before that."
        return WeightRule(notes=(note,))
    return WeightRule()


def columns_of(kind: str) -> tuple[str, ...]:
    """The columns that the weights of a kind depend on, besides those of groups and labels."""
    return {"quality": ("similarity",), "drop_human": ("human",)}.get(kind, ())


def weight_function(kind: str, settings: ConditionSettings, rule: WeightRule) -> WeightFunction:
    """The weights of a batch by a rule."""
    if kind == "m4":
        return rule.weigher.weigh
    if kind == "quality":
        threshold = rule.facts["similarity_threshold"]
        return _of_batch(lambda batch: (read_numbers(batch, "similarity") >= threshold).astype(float))
    if kind == "drop_human":
        return _of_batch(lambda batch: 1 - settings.share * read_numbers(batch, "human"))
    return _of_batch(lambda batch: np.ones(batch.num_rows))


def _of_batch(weigh: Callable[[pa.RecordBatch], np.ndarray]) -> WeightFunction:
    return lambda batch, rows, index: weigh(batch)


def check_columns(kind: str, tables: Sequence[AnnotationTable]) -> None:
    """Raise unless the tables have what the weights of a kind depend on."""
    for table in tables:
        if kind == "quality":
            table.check_columns(["similarity"])
        if kind == "drop_human" and "human" not in table.booleans:
            raise UserError(f"{table.path}: no column 'human' of true/false: annotate humans first")


def sorted_similarity(kind: str, tables: Sequence[AnnotationTable]) -> np.ndarray:
    """The similarity of all rows of the tables, ascending; empty for kinds that do not rank examples."""
    parts = [np.zeros(0)]
    for table in tables if kind == "quality" else ():
        parts += [read_numbers(batch, "similarity") for batch in table.batches(["similarity"])]
    return np.sort(np.concatenate(parts))


def _balance(settings: M4ConditionSettings, data: ConditionData) -> WeightRule:
    rate, notes, largest = settings.rate, (), None
    if rate == "max":
        rate, largest = _largest_rate(settings, data)
        notes = (_note_on_rate(rate, largest),)
    m4_settings = M4Settings(
        target=data.target, rate=rate, penalty=settings.penalty, pairs=data.pairs, **settings.limits
    )
    solution = solve(Problem(data.patterns, m4_settings))
    return WeightRule(
        max_weight=settings.max_weight,
        notes=notes,
        facts={"largest_rate": largest},
        certificate=certificate_of(solution, groups=data.groups, labels=data.labels),
        weigher=Weigher(data.layout, m4_settings, solution.v, solution.mu),
    )


def _largest_rate(settings: M4ConditionSettings, data: ConditionData) -> tuple[float, float]:
    """The rate to use, and the largest at which every constraint can hold."""
    largest = max_rate(data.patterns, data.target, pairs=data.pairs, **settings.limits)
    # A little less, since the linear program is solved to some tolerance.
    rate = max(largest * (1 - RATE_MARGIN), settings.min_rate)
    if rate == 0:
        raise UserError(
            "no rate satisfies every constraint: change the targets, or give a rate, a min_rate or tolerances"
        )
    return rate, largest


def _note_on_rate(rate: float, largest: float) -> str:
    note = f"The largest rate at which every constraint can hold is {largest:.6f}."
    if rate > largest:
        note += f" That is less than min_rate, {rate:g}, which was used: some constraints are violated."
    return note


def _quality(settings: ShareConditionSettings, similarity: Sequence[np.ndarray]) -> WeightRule:
    examples = sum(map(len, similarity))
    threshold = value_at_rank(similarity, examples - max(1, round(settings.share * examples)))
    return WeightRule(
        notes=(f"Examples with a similarity of {threshold:.6g} or more are kept.",),
        facts={"similarity_threshold": threshold},
    )


def read_numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """A column of finite numbers or booleans as floats, (n,)."""
    try:
        numbers = pc.cast(batch.column(name), pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"column {name!r} holds {batch.column(name).type}: expected numbers") from None
    if not np.isfinite(numbers).all():
        raise UserError(f"column {name!r} has a missing or infinite value: annotate its shard again")
    return numbers
