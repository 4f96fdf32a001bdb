"""The attributes of annotations: their columns in each modality, and which of them may be paired."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from clipfair.balance.indicators import Indicator, IndicatorLayout
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.core.errors import UserError
from clipfair.data.annotation_columns import ANY_MODALITY, NOT_ATTRIBUTES, AnnotationColumn, parse_column


def annotation_layout(
    tables: Sequence[AnnotationTable], *, sensitive: Sequence[str], labels: Sequence[str]
) -> IndicatorLayout:
    """Return the layout of attributes of annotations, in all modalities (Appendix A.1).

    An attribute is all boolean columns ``[modality.]attribute=value``, or one text column with the
    attribute's name. A text column has one indicator for each value in any of the tables.

    Raises
    ------
    UserError
        If an attribute is missing, or a table lacks one of its columns.
    """
    names: dict[str, list[str]] = {}
    for name in tables[0].columns:
        if name not in NOT_ATTRIBUTES:
            column = parse_column(name)
            names.setdefault(name if column is None else column.attribute, []).append(name)
    attributes = dict.fromkeys([*sensitive, *labels])
    unknown = [name for name in attributes if name not in names]
    if unknown:
        raise UserError(
            f"{tables[0].path}: no attribute {unknown[0]!r}: its attributes are {', '.join(sorted(names))}"
        )
    found = _indicators(tables, [name for attribute in attributes for name in names[attribute]])

    def indicators(wanted: Sequence[str]) -> tuple[Indicator, ...]:
        return tuple(
            indicator for attribute in wanted for name in names[attribute] for indicator in found[name]
        )

    return IndicatorLayout(indicators(sensitive), indicators(labels))


def shared_layout(layouts: Sequence[IndicatorLayout]) -> IndicatorLayout:
    """Return the layout of all shards from those of groups of them, whose text columns may differ in values.

    Its columns are those of the first layout.
    """
    first = layouts[0]

    def indicators(side: str) -> tuple[Indicator, ...]:
        found = {indicator for layout in layouts for indicator in getattr(layout, side)}
        columns = dict.fromkeys(indicator.column for indicator in getattr(first, side))
        return tuple(
            indicator
            for column in columns
            for indicator in sorted((i for i in found if i.column == column), key=lambda i: i.name)
        )

    return replace(first, sensitive=indicators("sensitive"), labels=indicators("labels"))


def annotation_column(indicator: Indicator) -> AnnotationColumn:
    """Return the annotation column that an indicator of :func:`annotation_layout` reads."""
    if indicator.value is None:
        return parse_column(indicator.column)
    return AnnotationColumn(ANY_MODALITY, indicator.column, indicator.value)


def _indicators(tables: Sequence[AnnotationTable], names: Sequence[str]) -> dict[str, list[Indicator]]:
    """The indicators of each column over all tables, sorted by name."""
    found: dict[str, set[Indicator]] = {name: set() for name in names}
    for table in tables:
        for indicator in infer_layout([table], sensitive=names).sensitive:
            found[indicator.column].add(indicator)
            is_binary, named_as_binary = indicator.value is None, parse_column(indicator.column) is not None
            if is_binary and not named_as_binary:
                raise UserError(
                    f"{table.path}: column {indicator.column!r} is binary: expected a column of text, or a "
                    f"column of true/false for each value, named {indicator.column}=value"
                )
            if named_as_binary and not is_binary:
                raise UserError(f"{table.path}: column {indicator.column!r} is text: expected true/false")
    return {name: sorted(some, key=lambda indicator: indicator.name) for name, some in found.items()}


def allowed_pairs(
    groups: Sequence[AnnotationColumn],
    labels: Sequence[AnnotationColumn],
    wanted: Mapping[str, Sequence[str]],
) -> np.ndarray:
    """The pairs of groups and labels to be made independent, (m, c) bool.

    ``wanted`` names the label attributes of each sensitive attribute. An attribute is never paired with
    itself, in any modality: membership of a group cannot be independent of membership of that group.
    """
    allowed = [
        [
            label.attribute in wanted[group.attribute] and label.attribute != group.attribute
            for label in labels
        ]
        for group in groups
    ]
    return np.array(allowed, dtype=bool).reshape(len(groups), len(labels))


def targets_by_column(groups: Sequence[AnnotationColumn], given: Mapping[str, float]) -> dict[str, float]:
    """Target proportions by column name, from ``attribute=value`` (every modality) or column names."""
    result = {}
    for name, share in given.items():
        columns = [group.name for group in groups if name in (group.attribute_value, group.name)]
        if not columns:
            known = dict.fromkeys(group.attribute_value for group in groups)
            raise UserError(
                f"a target is given for {name!r}, which is no group: the groups are {', '.join(known)}"
            )
        result.update(dict.fromkeys(columns, share))
    return result
