"""The attributes of annotations: which columns they have, in which modality, and which may be paired."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clipfair.balance.table import Indicator, Table, describe
from clipfair.core.errors import UserError

# What annotations hold beside attributes.
_NOT_ATTRIBUTES = ("key", "human", "similarity")
_COLUMN = re.compile(r"(?:(?P<modality>text|image)\.)?(?P<attribute>[^.=]+)=.+")


@dataclass(frozen=True)
class Bit:
    """One value of an attribute, as one modality tells it.

    ``modality`` is text or image; or any, for labels that do not come from one of them.
    """

    indicator: Indicator
    attribute: str
    modality: str

    @property
    def value(self) -> str:
        """``attribute=value``, whatever the modality."""
        return self.indicator.name.removeprefix(f"{self.modality}.")


def find_bits(tables: Sequence[Table], attributes: Sequence[str]) -> dict[str, tuple[Bit, ...]]:
    """The bits of each attribute, those of all modalities side by side (Appendix A.1).

    An attribute is all boolean columns ``[modality.]attribute=value``, or one column of text with that
    name, whose values are then those of all tables.

    Raises
    ------
    UserError
        If an attribute is not there, or a table lacks one of its columns.
    """
    columns: dict[str, dict[str, str]] = {}
    for name in tables[0].columns:
        match = _COLUMN.fullmatch(name)
        if match is not None:
            columns.setdefault(match["attribute"], {})[name] = match["modality"] or "any"
        elif name not in _NOT_ATTRIBUTES:
            columns.setdefault(name, {})[name] = "any"
    unknown = [name for name in attributes if name not in columns]
    if unknown:
        raise UserError(
            f"{tables[0].path}: no attribute {unknown[0]!r}: its attributes are {', '.join(sorted(columns))}"
        )
    found = _indicators(tables, [column for name in attributes for column in columns[name]])
    return {
        name: tuple(
            Bit(indicator, name, modality)
            for column, modality in columns[name].items()
            for indicator in found[column]
        )
        for name in attributes
    }


def _indicators(tables: Sequence[Table], columns: Sequence[str]) -> dict[str, list[Indicator]]:
    found: dict[str, set[Indicator]] = {column: set() for column in columns}
    for table in tables:
        for indicator in describe(table, sensitive=columns, labels=()).sensitive:
            found[indicator.column].add(indicator)
            if indicator.value is None and _COLUMN.fullmatch(indicator.column) is None:
                raise UserError(
                    f"{table.path}: column {indicator.column!r} is binary: expected a column of text, or a "
                    f"column of true/false for each value, named {indicator.column}=value"
                )
    return {column: sorted(some, key=lambda indicator: indicator.name) for column, some in found.items()}


def pairs_of(
    sensitive: Sequence[Bit], labels: Sequence[Bit], wanted: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Which groups are to be free of which labels, (m, c) bool.

    ``wanted`` names for each sensitive attribute its label attributes. An attribute is never paired
    with itself, nor its text with its image: what is in one group cannot be independent of being so.
    """
    allowed = [[other.attribute in wanted[bit.attribute] for other in labels] for bit in sensitive]
    same = [[other.attribute == bit.attribute for other in labels] for bit in sensitive]
    shape = (len(sensitive), len(labels))
    return np.array(allowed, dtype=bool).reshape(shape) & ~np.array(same, dtype=bool).reshape(shape)


def named_targets(sensitive: Sequence[Bit], given: Mapping[str, float]) -> dict[str, float]:
    """Targets by the groups' full names, from ``attribute=value`` (every modality) or full names."""
    result = {}
    for name, share in given.items():
        groups = [bit.indicator.name for bit in sensitive if name in (bit.value, bit.indicator.name)]
        if not groups:
            known = dict.fromkeys(bit.value for bit in sensitive)
            raise UserError(
                f"a target is given for {name!r}, which is no group: the groups are {', '.join(known)}"
            )
        result.update(dict.fromkeys(groups, share))
    return result
