"""The data of a condition: its groups and labels, the counts of their patterns, pairs and targets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipfair.balance.attributes import allowed_pairs, find_columns, layout_of, targets_by_column
from clipfair.balance.counts import count_tables
from clipfair.balance.indicators import IndicatorLayout
from clipfair.balance.table import AnnotationTable
from clipfair.balance.targets import target_proportions
from clipfair.core.errors import UserError
from clipfair.data.annotation_columns import AnnotationColumn
from clipfair.m4 import Patterns
from clipfair.plan.condition_settings import ConditionSettings


@dataclass(frozen=True)
class ConditionData:
    """The annotated examples as a condition and its audit use them.

    Attributes
    ----------
    layout : the indicators of groups and labels.
    patterns : their distinct patterns, with counts.
    groups : (m) annotation columns; constant ones are left out.
    labels : (c) annotation columns; constant ones are left out.
    pairs : (m, c) bool, the associations that are measured, and removed by M4.
    target : (m,) proportions of the groups.
    dropped : the constant columns, each with whether it is always or never set.
    """

    layout: IndicatorLayout
    patterns: Patterns
    groups: tuple[AnnotationColumn, ...]
    labels: tuple[AnnotationColumn, ...]
    pairs: np.ndarray
    target: np.ndarray
    dropped: list[dict]


def read_condition_data(tables: Sequence[AnnotationTable], settings: ConditionSettings) -> ConditionData:
    """Count the patterns of the tables in one pass, and leave out the columns that are constant."""
    columns = find_columns(tables, list(dict.fromkeys([*settings.sensitive, *settings.label_attributes])))
    groups = [column for name in settings.sensitive for column in columns[name]]
    labels = [column for name in settings.label_attributes for column in columns[name]]
    layout = layout_of(groups, labels, tables[0])
    patterns = count_tables(tables, layout).patterns()

    totals = [*(patterns.count @ patterns.sensitive), *(patterns.labels.T @ patterns.count)]
    constant = {
        column: {"column": column.name, "set": "never" if total == 0 else "always"}
        for column, total in zip([*groups, *labels], totals, strict=True)
        if total in (0, patterns.examples)
    }
    varied_groups = [k for k, group in enumerate(groups) if group not in constant]
    varied_labels = [r for r, label in enumerate(labels) if label not in constant]
    if not varied_groups:
        raise UserError(
            f"{', '.join(settings.sensitive)}: every group holds all examples or none: there is nothing to "
            "balance; check the annotations"
        )
    groups, labels = [groups[k] for k in varied_groups], [labels[r] for r in varied_labels]
    patterns = replace(
        patterns,
        sensitive=patterns.sensitive[:, varied_groups],
        labels=patterns.labels[:, varied_labels],
    )
    layout = layout_of(groups, labels, tables[0])
    return ConditionData(
        layout=layout,
        patterns=patterns,
        groups=tuple(groups),
        labels=tuple(labels),
        pairs=allowed_pairs(groups, labels, settings.labels_of),
        target=_target(patterns, layout, groups, settings),
        dropped=list(constant.values()),
    )


def _target(
    patterns: Patterns,
    layout: IndicatorLayout,
    groups: Sequence[AnnotationColumn],
    settings: ConditionSettings,
) -> np.ndarray:
    """The target proportions, where a rule applies to the groups of one attribute in one modality."""
    families = [(group.modality, group.attribute) for group in groups]
    if isinstance(settings.target, str):
        return target_proportions(patterns, layout, rule=settings.target, families=families)
    given = targets_by_column(groups, settings.target)
    return target_proportions(patterns, layout, given=given, families=families)
