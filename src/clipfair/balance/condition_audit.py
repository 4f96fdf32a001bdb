"""The audit of a condition: biases before, after and in the sample, also by modality and attribute."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipfair.balance.audit import measure_biases, over, rate_of
from clipfair.balance.keep_list import KeepListSums
from clipfair.balance.solved_condition import SolvedCondition
from clipfair.m4 import bias
from clipfair.m4.bias import Moments


def audit_condition(solved: SolvedCondition, sums: KeepListSums) -> dict:
    """The audit of one condition."""
    versions, rule = sums.versions, solved.rule
    target = versions["after"].total / rule.max_weight / solved.examples
    facts = {
        "examples": solved.examples,
        "patterns": solved.patterns,
        "rate": rate_of(versions["sample"], sums.variance, solved.examples, target=target),
        "humans": {
            name: humans / versions[name].total if versions[name].total else None
            for name, humans in sums.humans.items()
        },
        "notes": list(rule.notes),
        "dropped": solved.dropped,
    }
    biases = measure_biases(
        versions,
        groups=[group.name for group in solved.groups],
        labels=[label.name for label in solved.labels],
        target=solved.target,
        pairs=solved.pairs,
    )
    families = {f"by_{name}": _biases_by_family(solved, versions, name) for name in ("modality", "attribute")}
    return facts | biases | families | rule.facts | rule.certificate


def _biases_by_family(solved: SolvedCondition, versions: Mapping[str, Moments], name: str) -> dict:
    """Biases within each modality or attribute; ``name`` is that field of an annotation column."""
    group_families = [getattr(group, name) for group in solved.groups]
    return {
        "representation": representation_by(versions, target=solved.target, families=group_families),
        "association": association_by(
            versions,
            pairs=solved.pairs,
            group_families=group_families,
            label_families=[getattr(label, name) for label in solved.labels],
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
