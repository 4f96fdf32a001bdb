"""The audit of a balancing: biases before, after and in the sample; certificate; constraints.

All functions return plain values for JSON. An undefined value, such as the association of an empty group,
is None.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clipfair.balance.weigher import Weigher
from clipfair.balance.weighing_sums import WeighingSums
from clipfair.m4 import Patterns, Solution, bias
from clipfair.m4.bias import Moments


def audit_balanced(patterns: Patterns, weigher: Weigher, solution: Solution, sums: WeighingSums) -> dict:
    """The audit of tables that M4 balanced."""
    layout, certificate = weigher.layout, solution.certificate
    result = audit_weighed(weigher, sums) | {"patterns": len(patterns.count)}
    result |= certificate_of(
        solution,
        groups=[indicator.name for indicator in layout.sensitive],
        labels=[indicator.name for indicator in layout.labels],
    )
    result["certificate"] |= {"mean_error": certificate.mean_error, "constraints": certificate.violation.size}
    return result


def audit_weighed(weigher: Weigher, sums: WeighingSums) -> dict:
    """The audit of tables that were weighed by a solution, their own or a stored one."""
    settings, layout = weigher.settings, weigher.layout
    groups = [indicator.name for indicator in layout.sensitive]
    labels = [indicator.name for indicator in layout.labels]
    kept, weight = sums.versions["sample"], sums.versions["after"].total
    effective = sums.effective_examples
    facts = {
        "examples": sums.examples,
        "rate": rate_of(
            kept, sums.variance, sums.examples, target=weight / weigher.certain_weight / sums.examples
        ),
        "weights": {
            "eta": settings.rate,
            "penalty": settings.penalty,
            "mean": weight / sums.examples,
            "largest": sums.largest,
            "certainly_kept": weigher.certain_weight,
            "exceeding": sums.exceeding,
            "effective_examples": effective,
            "design_effect": sums.examples / effective if effective else None,
        },
    }
    pairs = np.ones((len(groups), len(labels)), dtype=bool)
    return facts | measure_biases(
        sums.versions, groups=groups, labels=labels, target=settings.target, pairs=pairs
    )


def rate_of(kept: Moments, variance: float, examples: int, *, target: float) -> dict:
    """The share kept: expected, in the sample, and its standard deviation given the weights."""
    return {
        "target": target,
        "realised": kept.total / examples,
        "standard_deviation": float(np.sqrt(variance)) / examples,
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
                "association_bias": over(np.max, associations[name][pairs]),
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


def _named(names: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [name for name, is_chosen in zip(names, chosen.ravel(), strict=True) if is_chosen]


def over(statistic: Callable, values: np.ndarray) -> float | None:
    """A statistic of the absolute defined values; None if there is none."""
    sizes = np.abs(values[~np.isnan(values)])
    return float(statistic(sizes)) if len(sizes) else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
