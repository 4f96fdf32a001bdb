"""The data of a condition: its groups and labels, the counts of their patterns, pairs and targets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clipfair.balance.attributes import (
    allowed_pairs,
    annotation_column,
    annotation_layout,
    shared_layout,
    targets_by_column,
)
from clipfair.balance.counts import PatternCounts, count_tables, merge, read_counts, read_layout
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
    layout : the m indicators of groups and c of labels; constant ones are left out.
    patterns : their distinct patterns, with counts.
    pairs : (m, c) bool, the associations that are measured, and removed by M4.
    target : (m,) proportions of the groups.
    dropped : the constant columns, each with whether it is always or never set.
    """

    layout: IndicatorLayout
    patterns: Patterns
    pairs: np.ndarray
    target: np.ndarray
    dropped: list[dict]

    @property
    def groups(self) -> list[str]:
        """The names of the groups' columns."""
        return [annotation_column(indicator).name for indicator in self.layout.sensitive]

    @property
    def labels(self) -> list[str]:
        """The names of the labels' columns."""
        return [annotation_column(indicator).name for indicator in self.layout.labels]


def count_patterns(tables: Sequence[AnnotationTable], settings: ConditionSettings) -> PatternCounts:
    """Count the patterns of a condition's attributes in one pass over the tables."""
    layout = annotation_layout(tables, sensitive=settings.sensitive, labels=settings.label_attributes)
    return count_tables(tables, layout)


def merge_groups(paths: Sequence[str | Path]) -> PatternCounts:
    """Add the counts of groups of shards, files of :func:`~clipfair.balance.counts.write_counts`.

    Each group was counted by the values that occur in it. One group at a time is in memory.
    """
    layout = shared_layout([read_layout(path) for path in paths])
    return merge(read_counts(path).in_layout(layout) for path in paths)


def condition_data(counts: PatternCounts, settings: ConditionSettings) -> ConditionData:
    """Return the data of a condition without the columns that are constant."""
    patterns = counts.patterns()
    groups, labels = (
        list(map(annotation_column, indicators))
        for indicators in (counts.layout.sensitive, counts.layout.labels)
    )
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
    layout = IndicatorLayout(
        tuple(counts.layout.sensitive[k] for k in varied_groups),
        tuple(counts.layout.labels[r] for r in varied_labels),
    )
    return ConditionData(
        layout=layout,
        patterns=patterns,
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
