"""Conditions: which examples of the annotated data a model is trained on, and what that does to them.

A condition gives each example a weight q in [0, Q] and keeps it when a hash of its key falls under
q / Q, so that what is kept depends neither on the order nor on the shards. Shards are never rewritten:
a condition is a list of keys.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clipfair.balance.attributes import allowed_pairs, find_columns, layout_of, targets_by_column
from clipfair.balance.audit import association_by, certified, markdown, measured, representation_by
from clipfair.balance.counts import count_table, merge
from clipfair.balance.fit import Weigher, targets, write_dual
from clipfair.balance.table import Layout, Table, decode, encode, keys_of
from clipfair.balance.weigh import ParquetParts, check_unique, key_texts
from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_json, write_text
from clipfair.core.keys import hash_keys
from clipfair.data.annotation_columns import AnnotationColumn
from clipfair.m4 import M4Settings, Patterns, Problem, max_rate, sampling, solve
from clipfair.m4.bias import Moments, moments
from clipfair.m4.problem import distinct_rows

# How far below the largest feasible rate to stay, relatively: multipliers grow without bound there. At a
# part in a million one of them exceeded a penalty of 1000, at this none comes near it.
_RATE_MARGIN = 1e-5
_VERSIONS = ("before", "after", "sample")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What every condition has: the biases that its audit measures (and M4 removes).

    Attributes
    ----------
    sensitive : attributes whose groups are looked at.
    labels : attributes that they should not be associated with; or, by sensitive attribute, those of
        each. A sensitive attribute may be another one's label (Appendix A.2.3: age for gender).
    target : proportions of the groups: ``"data"``, ``"uniform"`` or ``"median"`` (of the groups of one
        attribute in one modality); or shares by group (``gender=male`` in every modality, or
        ``text.gender=male``), and those of the data for the groups not named.
    """

    sensitive: Sequence[str] = ("gender",)
    labels: Sequence[str] | Mapping[str, Sequence[str]] = ("occupation", "proxy")
    target: Literal["data", "uniform", "median"] | Mapping[str, float] = "data"

    def __post_init__(self) -> None:
        if not self.sensitive:
            raise UserError("sensitive names no attribute: give one at least")
        if isinstance(self.target, str) and self.target not in ("data", "uniform", "median"):
            raise UserError(f"target is {self.target!r}: expected data, uniform, median, or shares by group")
        for name, others in self.wanted.items():
            if name not in self.sensitive:
                raise UserError(
                    f"labels are given for {name!r}, which is not among sensitive: {self.sensitive}"
                )
            if isinstance(self.labels, Mapping) and name in others:
                raise UserError(f"{name!r} is among its own labels: an attribute cannot be free of itself")

    @property
    def wanted(self) -> dict[str, tuple[str, ...]]:
        """The label attributes of each sensitive attribute."""
        if isinstance(self.labels, Mapping):
            return dict.fromkeys(self.sensitive, ()) | {name: tuple(of) for name, of in self.labels.items()}
        return {name: tuple(self.labels) for name in self.sensitive}

    @property
    def label_attributes(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys(label for labels in self.wanted.values() for label in labels))


@dataclass(frozen=True, kw_only=True)
class M4(Condition):
    """Balanced by M4 (section 5): no representation bias, no association bias.

    Attributes
    ----------
    rate : eta; or ``"max"``, the largest rate at which every constraint can hold.
    min_rate : the least that ``"max"`` may come to. Where the constraints allow less, this is the rate,
        they give way at the price of ``penalty``, and the audit says so.
    max_weight, penalty, eps_association, eps_representation, eps_reading : see
        :class:`clipfair.m4.M4Settings`.
        At the largest feasible rate some multipliers are large, so the penalty is: 10 leaves violations
        of 1e-5 there on Flickr30k's captions, 1000 none.
    """

    sensitive: Sequence[str] = field()  # field(): no default, unlike in the other kinds
    labels: Sequence[str] | Mapping[str, Sequence[str]] = field()
    rate: float | Literal["max"] = "max"
    min_rate: float = 0.0
    max_weight: float = 1.0
    penalty: float = 1000.0
    eps_association: float = 0.0
    eps_representation: float = 0.0
    eps_reading: Literal["normalised", "literal"] = "normalised"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.isfinite(self.max_weight):
            raise UserError(f"max_weight is {self.max_weight}: a condition samples, which needs a finite one")
        if isinstance(self.rate, str) and self.rate != "max":
            raise UserError(f"rate is {self.rate!r}: expected a number or max")
        if not 0 <= self.min_rate <= self.max_weight:
            raise UserError(f"min_rate is {self.min_rate}: expected a number in [0, max_weight]")
        rate = self.max_weight if self.rate == "max" else self.rate
        M4Settings(target=[], rate=rate, penalty=self.penalty, **self.limits)  # checks the numbers

    @property
    def limits(self) -> dict:
        """The settings that the largest rate depends on."""
        names = ("max_weight", "eps_association", "eps_representation", "eps_reading")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class Share(Condition):
    """A condition with one number: the share to keep (quality) or to drop (drop_human), in (0, 1]."""

    share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1:
            raise UserError(f"share is {self.share}: expected a number above 0 and at most 1")


KINDS = {"all": Condition, "m4": M4, "quality": Share, "drop_human": Share, "neutralise": Condition}


class Within(Table):
    """The rows of a table whose ``key`` is among ``keys``."""

    def __init__(self, path: str | Path, keys: pa.Array):
        super().__init__(path)
        self.check_columns(["key"])
        self._keys = keys

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """As those of a table; none if none of its rows is among them."""
        for batch in super().batches(list(dict.fromkeys([*columns, "key"]))):
            keys = pc.cast(batch.column("key"), self._keys.type)
            chosen = batch.filter(pc.is_in(keys, value_set=self._keys)).select(list(columns))
            if chosen.num_rows:
                yield chosen


@dataclass(frozen=True)
class Rule:
    """How a condition weighs examples.

    Attributes
    ----------
    weigh : the weights (n,) of a batch, given also its distinct encoded rows and each example's index.
    columns : the columns that it reads.
    max_weight : Q.
    notes, facts : what the audit tells of it, as sentences and as values.
    weigher : M4's, if it is M4.
    """

    weigh: Callable[[pa.RecordBatch, np.ndarray, np.ndarray], np.ndarray]
    columns: tuple[str, ...] = ()
    max_weight: float = 1.0
    notes: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    weigher: Weigher | None = None


@dataclass(frozen=True)
class Measured:
    """The data as a condition's audit sees them: what varies, and the columns that do not (``dropped``)."""

    layout: Layout
    patterns: Patterns
    groups: tuple[AnnotationColumn, ...]
    labels: tuple[AnnotationColumn, ...]
    pairs: np.ndarray
    target: np.ndarray
    dropped: list[dict]


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
    """Write the keep-list of a condition, and what it does to the data.

    Parameters
    ----------
    annotations
        One parquet a shard, with a unique ``key`` over all, and attributes as
        :func:`clipfair.balance.attributes.find_columns` reads them. Kinds ``quality`` and ``drop_human``
        need ``similarity`` and ``human``; the audit follows ``human`` wherever it is there.
    kind, settings
        One of ``KINDS``, and values for its attributes.

        - ``all``: every example (the baseline).
        - ``m4``: balanced by M4.
        - ``quality``: the ``share`` with the highest image-text similarity over all shards (section 4.4).
        - ``drop_human``: a ``share`` of the examples with humans is dropped at random, the others stay
          (Appendix A.6). With one seed, a smaller share drops a part of what a larger one does.
        - ``neutralise``: every example, with captions rewritten (Appendix A.6).
    seed
        Of the sampling.
    keep_path
        Gets ``key`` and ``shard`` (the name of its annotations without suffix), and with ``rewritten``
        the ``text``; in the order of the annotations.
    audit_path
        A .json; the same for a reader is beside it as .md. Versions are ``before``, ``after`` (weighted)
        and ``sample`` (what is kept).
    dual_path
        For ``m4``, gets what :func:`clipfair.balance.fit.read_dual` reads: all to weigh more examples. For
        the other kinds, which solve nothing, null.
    rewritten
        For ``neutralise``: for each annotations a parquet with ``key`` and ``text``.
    within
        The keep-list of another condition: all is done on its examples alone, as if there were no others
        (section 4.4 balances what a quality filter kept).

    Raises
    ------
    UserError
        On unknown or impossible settings, a missing column or text, or a key that is there twice.
    """
    condition = condition_from(kind, settings)
    if (kind == "neutralise") != (rewritten is not None):
        raise UserError(f"kind {kind!r}: rewritten captions belong to kind 'neutralise', which needs them")
    if rewritten is not None and len(rewritten) != len(annotations):
        raise UserError(
            f"{len(rewritten)} files of rewritten captions for {len(annotations)} shards: give one each"
        )
    keys = None if within is None else pq.read_table(within, columns=["key"])["key"].combine_chunks()
    tables = [Table(path) if keys is None else Within(path, keys) for path in annotations]
    data = measure(tables, condition)
    rule = _RULES[kind](tables, condition, data)
    kept = _write_keep_list(tables, rule, data.layout, seed=seed, keep_path=keep_path, rewritten=rewritten)
    if rule.weigher is None:
        write_json(dual_path, None)
    else:
        write_dual(dual_path, rule.weigher)
    audited = {"kind": kind, "settings": asdict(condition), "seed": seed} | _audit(data, kept, rule)
    write_json(audit_path, audited)
    write_text(Path(audit_path).with_suffix(".md"), markdown(audited))


def condition_from(kind: str, settings: Mapping[str, object]) -> Condition:
    """The condition of a registry entry, checked."""
    if kind not in KINDS:
        raise UserError(f"unknown kind of condition {kind!r}: expected one of {', '.join(KINDS)}")
    known = fields(KINDS[kind])
    for name in settings:
        if name not in [one.name for one in known]:
            expected = ", ".join(one.name for one in known)
            raise UserError(f"kind {kind!r} has no setting {name!r}: expected some of {expected}")
    for one in known:
        if one.default is MISSING and one.name not in settings:
            raise UserError(f"kind {kind!r} needs the setting {one.name!r}")
    return KINDS[kind](**settings)


def measure(tables: Sequence[Table], condition: Condition) -> Measured:
    """Count the patterns of the data in one pass; what is constant is left out, by name."""
    attributes = list(dict.fromkeys([*condition.sensitive, *condition.label_attributes]))
    columns = find_columns(tables, attributes)
    groups = [column for name in condition.sensitive for column in columns[name]]
    labels = [column for name in condition.label_attributes for column in columns[name]]
    counted = layout_of(groups, labels, tables[0])
    patterns = merge(count_table(table, counted) for table in tables).patterns()

    often = [*(patterns.count @ patterns.sensitive), *(patterns.labels.T @ patterns.count)]
    constant = {
        column: {"column": column.name, "set": "never" if total == 0 else "always"}
        for column, total in zip([*groups, *labels], often, strict=True)
        if total in (0, patterns.examples)
    }
    varied_groups = [k for k, group in enumerate(groups) if group not in constant]
    varied_labels = [r for r, label in enumerate(labels) if label not in constant]
    if not varied_groups:
        raise UserError(
            f"{', '.join(condition.sensitive)}: every group holds all examples or none: there is nothing to "
            "balance; check the annotations"
        )
    patterns = replace(
        patterns,
        sensitive=patterns.sensitive[:, varied_groups],
        labels=patterns.labels[:, varied_labels],
    )
    groups, labels = [groups[k] for k in varied_groups], [labels[r] for r in varied_labels]
    layout, asked = layout_of(groups, labels, tables[0]), condition.target
    return Measured(
        layout=layout,
        patterns=patterns,
        groups=tuple(groups),
        labels=tuple(labels),
        pairs=allowed_pairs(groups, labels, condition.wanted),
        target=targets(
            patterns,
            layout,
            rule=asked if isinstance(asked, str) else "data",
            given=None if isinstance(asked, str) else targets_by_column(groups, asked),
            families=[(group.modality, group.attribute) for group in groups],
        ),
        dropped=list(constant.values()),
    )


def _keep_all(tables: Sequence[Table], condition: Condition, data: Measured) -> Rule:
    return Rule(lambda batch, rows, index: np.ones(batch.num_rows))


def _neutralise(tables: Sequence[Table], condition: Condition, data: Measured) -> Rule:
    note = "Captions were rewritten; the biases are those of the annotations, made before that."
    return replace(_keep_all(tables, condition, data), notes=(note,))


def _balance(tables: Sequence[Table], condition: M4, data: Measured) -> Rule:
    rate, notes, facts = condition.rate, (), {"largest_rate": None}
    if rate == "max":
        largest = max_rate(data.patterns, data.target, pairs=data.pairs, **condition.limits)
        # A hair less, since the linear program is solved to some tolerance.
        rate = max(largest * (1 - _RATE_MARGIN), condition.min_rate)
        if rate == 0:
            raise UserError(
                "no rate satisfies every constraint: change the targets, or give a rate, a min_rate or "
                "tolerances"
            )
        facts["largest_rate"] = largest
        notes = (f"The largest rate at which every constraint can hold is {largest:.6f}.",)
        if rate > largest:
            notes = (
                f"{notes[0]} That is less than min_rate, {rate:g}, which was used: constraints gave way.",
            )
    settings = M4Settings(
        target=data.target, rate=rate, penalty=condition.penalty, pairs=data.pairs, **condition.limits
    )
    solution = solve(Problem(data.patterns, settings))
    weigher = Weigher(data.layout, settings, solution.v, solution.mu)
    names = [[column.name for column in columns] for columns in (data.groups, data.labels)]
    return Rule(
        lambda batch, rows, index: weigher.weigh_patterns(rows)[2][index],
        max_weight=condition.max_weight,
        notes=notes,
        facts=facts | certified(solution, groups=names[0], labels=names[1]),
        weigher=weigher,
    )


def _quality(tables: Sequence[Table], condition: Share, data: Measured) -> Rule:
    parts = []
    for table in tables:
        table.check_columns(["similarity"])
        for batch in table.batches(["similarity"]):
            parts.append(_floats(batch, "similarity"))
    similarity = np.concatenate(parts)
    rank = len(similarity) - max(1, round(condition.share * len(similarity)))
    threshold = float(np.partition(similarity, rank)[rank])
    return Rule(
        lambda batch, rows, index: (_floats(batch, "similarity") >= threshold).astype(float),
        columns=("similarity",),
        notes=(f"Kept are similarities of {threshold:.6g} and above.",),
        facts={"similarity_threshold": threshold},
    )


def _drop_human(tables: Sequence[Table], condition: Share, data: Measured) -> Rule:
    for table in tables:
        if "human" not in table.booleans:
            raise UserError(f"{table.path}: no column 'human' of true/false: annotate humans first")
    return Rule(
        lambda batch, rows, index: 1 - condition.share * _floats(batch, "human"),
        columns=("human",),
    )


_RULES = {
    "all": _keep_all,
    "m4": _balance,
    "quality": _quality,
    "drop_human": _drop_human,
    "neutralise": _neutralise,
}


def _floats(batch: pa.RecordBatch, name: str) -> np.ndarray:
    try:
        numbers = pc.cast(batch.column(name), pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"column {name!r} holds {batch.column(name).type}: expected numbers") from None
    if not np.isfinite(numbers).all():
        raise UserError(f"column {name!r} has a missing or infinite value: annotate its shard again")
    return numbers


@dataclass
class _Tally:
    """Sums over the examples seen so far: moments, humans and variance of the number kept."""

    versions: dict[str, Moments] = field(default_factory=dict)
    humans: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_VERSIONS, 0.0))
    variance: float = 0.0

    def add(self, name: str, data: Moments, *, humans: float) -> None:
        """Add a batch to one version."""
        self.versions[name] = self.versions[name] + data if name in self.versions else data
        self.humans[name] += humans


def _write_keep_list(
    tables: Sequence[Table],
    rule: Rule,
    layout: Layout,
    *,
    seed: int,
    keep_path: str | Path,
    rewritten: Sequence[str | Path] | None,
) -> _Tally:
    """Write the keep-list in one pass; keys are checked to be unique before it appears."""
    follow_humans = all("human" in table.booleans for table in tables)
    columns = dict.fromkeys(["key", *layout.columns, *rule.columns, *(["human"] if follow_humans else [])])
    tally, hashes = _Tally(), []
    with ParquetParts(Path(keep_path)) as keep_list:
        for place, table in enumerate(progress(tables, unit=" shards", what="sampling")):
            table.check_columns(["key"])
            texts = None if rewritten is None else _Texts(rewritten[place])
            first_row = 0
            for batch in table.batches(list(columns)):
                rows, index = distinct_rows(encode(batch, layout, first_row=first_row))
                weights = rule.weigh(batch, rows, index)
                keys = pc.cast(keys_of(batch, "key", first_row=first_row), pa.string())
                hashes.append(hash_keys(key_texts(keys), seed=seed))
                keep = sampling.keep(hashes[-1], weights, max_weight=rule.max_weight)
                kept_keys = keys.filter(pa.array(keep))
                part = {"key": kept_keys, "shard": pa.repeat(pa.scalar(table.path.stem), len(kept_keys))}
                keep_list.write(part if texts is None else part | {"text": texts.of(kept_keys)})

                humans = _floats(batch, "human") if follow_humans else np.zeros(len(keep))
                sensitive, labels, _ = decode(rows, layout)
                weighings = (np.ones(len(keep)), weights, keep.astype(float))
                for name, weighing in zip(_VERSIONS, weighings, strict=True):
                    per_pattern = np.bincount(index, weights=weighing, minlength=len(rows))
                    tally.add(name, moments(sensitive, labels, per_pattern), humans=weighing @ humans)
                chance = weights / rule.max_weight
                tally.variance += float(chance @ (1 - chance))
                first_row += batch.num_rows
        check_unique(tables, "key", np.concatenate(hashes), seed=seed)
    return tally if follow_humans else replace(tally, humans={})


class _Texts:
    """The rewritten captions of one shard."""

    def __init__(self, path: str | Path):
        self._path = path
        table = Table(path)
        table.check_columns(["key", "text"])
        read = pa.Table.from_batches(table.batches(["key", "text"]))
        self._keys = pc.cast(read["key"], pa.string()).combine_chunks()
        self._texts = pc.cast(read["text"], pa.string()).combine_chunks()
        if pc.count_distinct(self._keys).as_py() < len(self._keys):
            raise UserError(f"{path}: a key is there twice: expected one rewritten caption an example")

    def of(self, keys: pa.Array) -> pa.Array:
        """The caption of each key."""
        texts = self._texts.take(pc.index_in(keys, value_set=self._keys))
        if texts.null_count:
            lost = keys[pc.index(pc.is_null(texts), True).as_py()]
            raise UserError(
                f"{self._path}: no rewritten caption for key {lost.as_py()!r}: rewrite the whole shard"
            )
        return texts


def _audit(data: Measured, tally: _Tally, rule: Rule) -> dict:
    """The audit as plain values for JSON; what is undefined is None."""
    versions = tally.versions
    groups, labels = ([column.name for column in columns] for columns in (data.groups, data.labels))
    examples = data.patterns.examples
    families = {
        f"by_{name}": {
            "representation": representation_by(
                versions, target=data.target, families=[getattr(group, name) for group in data.groups]
            ),
            "association": association_by(
                versions,
                pairs=data.pairs,
                group_families=[getattr(group, name) for group in data.groups],
                label_families=[getattr(label, name) for label in data.labels],
            ),
        }
        for name in ("modality", "attribute")
    }
    return (
        {
            "examples": examples,
            "patterns": len(data.patterns.count),
            "rate": {
                "target": versions["after"].total / rule.max_weight / examples,
                "realised": versions["sample"].total / examples,
                "standard_deviation": float(np.sqrt(tally.variance)) / examples,
            },
            "humans": {
                name: humans / versions[name].total if versions[name].total else None
                for name, humans in tally.humans.items()
            },
            "notes": list(rule.notes),
            "dropped": data.dropped,
        }
        | measured(versions, groups=groups, labels=labels, target=data.target, pairs=data.pairs)
        | families
        | rule.facts
    )
