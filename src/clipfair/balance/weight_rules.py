"""How each kind of condition weighs examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.condition_data import ConditionData
from clipfair.balance.table import AnnotationTable
from clipfair.balance.weigh import WeightFunction
from clipfair.balance.weigher import Weigher
from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Problem, Solution, max_rate, solve
from clipfair.m4.rate import RATE_MARGIN
from clipfair.plan.condition_settings import (
    ConditionSettings,
    M4ConditionSettings,
    ShareConditionSettings,
)


@dataclass(frozen=True)
class WeightRule:
    """How a condition weighs examples.

    Attributes
    ----------
    weigh : gives the weights of a batch.
    columns : the columns that it reads.
    max_weight : Q.
    notes : sentences about it for the audit.
    facts : values about it for the audit, by name.
    weigher, solution : of M4; None for the other kinds.
    """

    weigh: WeightFunction
    columns: tuple[str, ...] = ()
    max_weight: float = 1.0
    notes: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    weigher: Weigher | None = None
    solution: Solution | None = None


def make_rule(
    kind: str, tables: Sequence[AnnotationTable], settings: ConditionSettings, data: ConditionData
) -> WeightRule:
    """The rule of a condition of ``kind``."""
    return _RULES[kind](tables, settings, data)


def _keep_all(
    tables: Sequence[AnnotationTable], settings: ConditionSettings, data: ConditionData
) -> WeightRule:
    return WeightRule(_one_each)


def _neutralise(
    tables: Sequence[AnnotationTable], settings: ConditionSettings, data: ConditionData
) -> WeightRule:
    note = "Captions were rewritten; the biases are those of the annotations, made before that."
    return WeightRule(_one_each, notes=(note,))


def _one_each(batch: pa.RecordBatch, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.ones(batch.num_rows)


def _balance(
    tables: Sequence[AnnotationTable], settings: M4ConditionSettings, data: ConditionData
) -> WeightRule:
    rate, notes, largest = settings.rate, (), None
    if rate == "max":
        rate, largest = _largest_rate(settings, data)
        notes = (_note_on_rate(rate, largest),)
    m4_settings = M4Settings(
        target=data.target, rate=rate, penalty=settings.penalty, pairs=data.pairs, **settings.limits
    )
    solution = solve(Problem(data.patterns, m4_settings))
    weigher = Weigher(data.layout, m4_settings, solution.v, solution.mu)
    return WeightRule(
        weigher.weigh,
        max_weight=settings.max_weight,
        notes=notes,
        facts={"largest_rate": largest},
        weigher=weigher,
        solution=solution,
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


def _quality(
    tables: Sequence[AnnotationTable], settings: ShareConditionSettings, data: ConditionData
) -> WeightRule:
    parts = []
    for table in tables:
        table.check_columns(["similarity"])
        for batch in table.batches(["similarity"]):
            parts.append(read_numbers(batch, "similarity"))
    similarity = np.concatenate(parts)
    rank = len(similarity) - max(1, round(settings.share * len(similarity)))
    threshold = float(np.partition(similarity, rank)[rank])
    return WeightRule(
        lambda batch, rows, index: (read_numbers(batch, "similarity") >= threshold).astype(float),
        columns=("similarity",),
        notes=(f"Examples with a similarity of {threshold:.6g} or more are kept.",),
        facts={"similarity_threshold": threshold},
    )


def _drop_human(
    tables: Sequence[AnnotationTable], settings: ShareConditionSettings, data: ConditionData
) -> WeightRule:
    for table in tables:
        if "human" not in table.booleans:
            raise UserError(f"{table.path}: no column 'human' of true/false: annotate humans first")
    return WeightRule(
        lambda batch, rows, index: 1 - settings.share * read_numbers(batch, "human"), columns=("human",)
    )


_RULES = {
    "all": _keep_all,
    "m4": _balance,
    "quality": _quality,
    "drop_human": _drop_human,
    "neutralise": _neutralise,
}


def read_numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """A column of finite numbers or booleans as floats, (n,)."""
    try:
        numbers = pc.cast(batch.column(name), pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"column {name!r} holds {batch.column(name).type}: expected numbers") from None
    if not np.isfinite(numbers).all():
        raise UserError(f"column {name!r} has a missing or infinite value: annotate its shard again")
    return numbers
