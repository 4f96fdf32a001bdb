"""The audit of a condition: biases before, after and in the sample, also by modality and attribute."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipfair.balance.audit import certificate_of, measure_biases, over, rate_of
from clipfair.balance.condition_data import ConditionData
from clipfair.balance.keep_list import KeepListSums
from clipfair.balance.weight_rules import WeightRule
from clipfair.m4 import bias
from clipfair.m4.bias import Moments


def audit_condition(data: ConditionData, sums: KeepListSums, rule: WeightRule) -> dict:
    """The audit of one condition."""
    versions, examples = sums.versions, data.patterns.examples
    target = versions["after"].total / rule.max_weight / examples
    facts = {
        "examples": examples,
        "patterns": len(data.patterns.count),
        "rate": rate_of(versions["sample"], sums.variance, examples, target=target),
        "humans": {
            name: humans / versions[name].total if versions[name].total else None
            for name, humans in sums.humans.items()
        },
        "notes": list(rule.notes),
        "dropped": data.dropped,
    }
    names = {
        "groups": [group.name for group in data.groups],
        "labels": [label.name for label in data.labels],
    }
    biases = measure_biases(versions, target=data.target, pairs=data.pairs, **names)
    families = {f"by_{name}": _biases_by_family(data, versions, name) for name in ("modality", "attribute")}
    certificate = {} if rule.solution is None else certificate_of(rule.solution, **names)
    return facts | biases | families | rule.facts | certificate


def _biases_by_family(data: ConditionData, versions: Mapping[str, Moments], name: str) -> dict:
    """Biases within each modality or attribute; ``name`` is that field of an annotation column."""
    group_families = [getattr(group, name) for group in data.groups]
    return {
        "representation": representation_by(versions, target=data.target, families=group_families),
        "association": association_by(
            versions,
            pairs=data.pairs,
            group_families=group_families,
            label_families=[getattr(label, name) for label in data.labels],
        ),
    }


def representation_by(
    versions: Mapping[str, Moments], *, target: np.ndarray, families: Sequence[str]
) -> list[dict]:
    """Representation bias within each family of groups; ``families``, (m,), names that of each group."""
    rows = []
    for family in dict.fromkeys(families):
        members = np.flatnonzero(np.array(families) == family)
        deviations = {
            name: np.abs(bias.representation(data) - target)[members] for name, data in versions.items()
        }
        rows.append({"groups": family} | {name: over(np.max, size) for name, size in deviations.items()})
    return rows


def association_by(
    versions: Mapping[str, Moments],
    *,
    pairs: np.ndarray,
    group_families: Sequence[str],
    label_families: Sequence[str],
) -> list[dict]:
    """Associations within each pair of a family of groups and one of labels.

    Returns
    -------
    For each: the number of pairs, the association bias (Definition 2), and the largest and the median
    absolute Pearson correlation (Figure 8), each in every version.
    """
    associations = {name: bias.association(data) for name, data in versions.items()}
    correlations = {name: bias.correlation(data) for name, data in versions.items()}
    rows = []
    for family in dict.fromkeys(group_families):
        for other in dict.fromkeys(label_families):
            block = np.outer(np.array(group_families) == family, np.array(label_families) == other) & pairs
            if block.any():
                rows.append(
                    {
                        "groups": family,
                        "labels": other,
                        "pairs": int(block.sum()),
                        "association_bias": _each(np.max, associations, block),
                        "correlation_max": _each(np.max, correlations, block),
                        "correlation_median": _each(np.median, correlations, block),
                    }
                )
    return rows


def _each(statistic: Callable, matrices: Mapping[str, np.ndarray], block: np.ndarray) -> dict:
    return {name: over(statistic, matrix[block]) for name, matrix in matrices.items()}
