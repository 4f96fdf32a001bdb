"""A solved condition: everything that the weights and the audit depend on, in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipfair.balance.attributes import annotation_column
from clipfair.balance.condition_data import condition_data
from clipfair.balance.counts import PatternCounts
from clipfair.balance.indicators import IndicatorLayout, layout_from, layout_values
from clipfair.balance.weigher import dual_values, weigher_from
from clipfair.balance.weight_rules import WeightRule, make_rule
from clipfair.core.io import read_json, write_json
from clipfair.data.annotation_columns import AnnotationColumn
from clipfair.plan.condition_settings import ConditionSettings, parse_condition


@dataclass(frozen=True)
class SolvedCondition:
    """A condition whose rule is known.

    Attributes
    ----------
    kind, settings : of the condition.
    layout : the m indicators of groups and c of labels.
    examples, patterns : numbers of examples and of distinct patterns.
    pairs : (m, c) bool, the associations that are measured.
    target : (m,) proportions of the groups.
    dropped : the constant columns, each with whether it is always or never set.
    rule : how examples are weighed.
    """

    kind: str
    settings: ConditionSettings
    layout: IndicatorLayout
    examples: int
    patterns: int
    pairs: np.ndarray
    target: np.ndarray
    dropped: Sequence[Mapping]
    rule: WeightRule

    @property
    def groups(self) -> list[AnnotationColumn]:
        """The annotation columns of the groups."""
        return list(map(annotation_column, self.layout.sensitive))

    @property
    def labels(self) -> list[AnnotationColumn]:
        """The annotation columns of the labels."""
        return list(map(annotation_column, self.layout.labels))


def solve_counts(
    kind: str, settings: ConditionSettings, counts: PatternCounts, similarity: Sequence[np.ndarray]
) -> SolvedCondition:
    """Solve a condition from the pattern counts of all shards.

    Parameters
    ----------
    similarity : as :func:`~clipfair.balance.weight_rules.sorted_similarity` gives it, by group of shards.
    """
    data = condition_data(counts, settings)
    return SolvedCondition(
        kind=kind,
        settings=settings,
        layout=data.layout,
        examples=data.patterns.examples,
        patterns=len(data.patterns.count),
        pairs=data.pairs,
        target=data.target,
        dropped=data.dropped,
        rule=make_rule(kind, settings, data, similarity),
    )


def write_solved(path: str | Path, solved: SolvedCondition) -> None:
    """Write a solved condition as JSON; floats are exact."""
    rule = solved.rule
    write_json(
        path,
        {
            "kind": solved.kind,
            "settings": solved.settings.model_dump(),
            "layout": layout_values(solved.layout),
            "examples": solved.examples,
            "patterns": solved.patterns,
            "pairs": solved.pairs.tolist(),
            "target": solved.target.tolist(),
            "dropped": solved.dropped,
            "rule": {
                "max_weight": rule.max_weight,
                "notes": rule.notes,
                "facts": rule.facts,
                "certificate": rule.certificate,
                "weigher": None if rule.weigher is None else dual_values(rule.weigher),
            },
        },
    )


def read_solved(path: str | Path) -> SolvedCondition:
    """Read a file of :func:`write_solved`."""
    content = read_json(path)
    layout = layout_from(content["layout"])
    shape = (len(layout.sensitive), len(layout.labels))
    rule, weigher = content["rule"], content["rule"]["weigher"]
    return SolvedCondition(
        kind=content["kind"],
        settings=parse_condition(content["kind"], content["settings"]),
        layout=layout,
        examples=content["examples"],
        patterns=content["patterns"],
        pairs=np.array(content["pairs"], dtype=bool).reshape(shape),
        target=np.array(content["target"]),
        dropped=content["dropped"],
        rule=WeightRule(**rule | {"weigher": None if weigher is None else weigher_from(weigher)}),
    )
