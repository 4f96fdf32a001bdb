"""The audit of a balancing: biases before, after and in the sample; certificate; constraints.

All functions return plain values for JSON. An undefined value, such as the association of an empty group,
is None.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipfair.balance.condition_data import ConditionData
from clipfair.balance.keep_list import KeepListSums
from clipfair.balance.weigh import WeighingResult
from clipfair.balance.weigher import Weigher
from clipfair.balance.weight_rules import WeightRule
from clipfair.m4 import Patterns, Solution, bias
from clipfair.m4.bias import Moments


def audit_table(patterns: Patterns, weigher: Weigher, solution: Solution, weighed: WeighingResult) -> dict:
    """The audit of one table that M4 balanced."""
    settings = weigher.settings
    groups = [indicator.name for indicator in weigher.layout.sensitive]
    labels = [indicator.name for indicator in weigher.layout.labels]
    versions = {
        "before": bias.moments(patterns.sensitive, patterns.labels, patterns.count.astype(float)),
        "after": bias.moments(patterns.sensitive, patterns.labels, patterns.count * solution.weights),
    }
    result = {"examples": patterns.examples, "patterns": len(patterns.count)}
    if weighed.kept is not None:
        versions["sample"] = weighed.kept
        target = settings.rate / settings.max_weight
        result["rate"] = _rate(weighed.kept, weighed.variance, weighed.examples, target=target)
    pairs = np.ones((len(groups), len(labels)), dtype=bool)
    measures = measure_biases(versions, groups=groups, labels=labels, target=settings.target, pairs=pairs)
    return result | measures | certificate_of(solution, groups=groups, labels=labels)


def audit_condition(data: ConditionData, sums: KeepListSums, rule: WeightRule) -> dict:
    """The audit of one condition."""
    versions, examples = sums.versions, data.patterns.examples
    target = versions["after"].total / rule.max_weight / examples
    facts = {
        "examples": examples,
        "patterns": len(data.patterns.count),
        "rate": _rate(versions["sample"], sums.variance, examples, target=target),
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


def _rate(kept: Moments, variance: float, examples: int, *, target: float) -> dict:
    return {
        "target": target,
        "realised": kept.total / examples,
        "standard_deviation": float(np.sqrt(variance)) / examples,
    }


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


def measure_biases(
    versions: Mapping[str, Moments],
    *,
    groups: Sequence[str],
    labels: Sequence[str],
    target: np.ndarray,
    pairs: np.ndarray,
) -> dict:
    """Biases (Definitions 1 and 2), and the share and associations of every group and label.

    Parameters
    ----------
    versions : moments of the data before, after (weighted) and in the sample, by name.
    target : (m,) proportions of the groups.
    pairs : (m, c) bool, the associations to measure.
    """
    shares = {name: bias.representation(data) for name, data in versions.items()}
    frequencies = {name: bias.frequency(data) for name, data in versions.items()}
    associations = {name: bias.association(data) for name, data in versions.items()}
    return {
        "bias": {
            name: {
                "weight": data.total,
                "representation_bias": _number(bias.representation_bias(data, target)),
                "association_bias": _over(np.max, associations[name][pairs]),
            }
            for name, data in versions.items()
        },
        "groups": [
            {"group": group, "target": float(target[k])}
            | {name: _number(share[k]) for name, share in shares.items()}
            | {f"n_{name}": float(data.groups[k]) for name, data in versions.items()}
            for k, group in enumerate(groups)
        ],
        "labels": [
            {"label": label} | {name: _number(share[r]) for name, share in frequencies.items()}
            for r, label in enumerate(labels)
        ],
        "pairs": [
            {"group": groups[k], "label": labels[r]}
            | {name: _number(matrix[k, r]) for name, matrix in associations.items()}
            for k, r in np.argwhere(pairs)
        ],
    }


def certificate_of(solution: Solution, *, groups: Sequence[str], labels: Sequence[str]) -> dict:
    """The duality gap of M4's weights, and the constraints that bind or could not be satisfied."""
    certificate = solution.certificate
    constraints = [f"{group} x {label}" for group in groups for label in [*labels, "representation"]]
    return {
        "certificate": {
            "primal": certificate.primal,
            "dual": certificate.dual,
            "gap": certificate.gap,
            "relative_gap": certificate.relative_gap,
            "largest_violation": float(certificate.violation.max()),
        },
        "binding": _named(constraints, certificate.binding),
        "unsatisfied": [
            {"constraint": name, "violation": float(violation)}
            for name, violation, given_up in zip(
                constraints, certificate.violation.ravel(), certificate.unsatisfied.ravel(), strict=True
            )
            if given_up
        ],
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
        rows.append({"groups": family} | {name: _over(np.max, size) for name, size in deviations.items()})
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


def _named(names: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [name for name, is_chosen in zip(names, chosen.ravel(), strict=True) if is_chosen]


def _each(statistic: Callable, matrices: Mapping[str, np.ndarray], block: np.ndarray) -> dict:
    return {name: _over(statistic, matrix[block]) for name, matrix in matrices.items()}


def _over(statistic: Callable, values: np.ndarray) -> float | None:
    """A statistic of the absolute defined values; None if there is none."""
    sizes = np.abs(values[~np.isnan(values)])
    return float(statistic(sizes)) if len(sizes) else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
