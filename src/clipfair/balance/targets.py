"""Target proportions of the groups, by a rule or as given."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from clipfair.balance.indicators import IndicatorLayout
from clipfair.core.errors import UserError, unknown
from clipfair.m4 import Patterns

# Sums of targets and shares that differ by less are equal.
_ROUNDING = 1e-6


def target_proportions(
    patterns: Patterns,
    layout: IndicatorLayout,
    *,
    rule: Literal["data", "uniform", "median"] = "data",
    given: Mapping[str, float] | None = None,
    families: Sequence[object] | None = None,
) -> np.ndarray:
    """The target proportion pi of each group, (m,).

    Parameters
    ----------
    rule : ``"data"`` keeps the proportions of the data; ``"uniform"`` gives each group the mean,
        ``"median"`` (the paper's appendix A.2.3) the median, of the proportions of its column's
        groups. A binary column has two groups, of which one is named, so that both give it 0.5.
    given : targets by group name, which override the rule.
    families : (m,) for each group the name of its family, over which the rule takes the mean or median; by
        default its column.
    """
    given = dict(given or {})
    names = [indicator.name for indicator in layout.sensitive]
    for name, value in given.items():
        if name not in names:
            raise UserError(f"target: {unknown('group', name, names)}")
        if not 0 <= value <= 1:
            raise UserError(f"the target of {name!r} is {value}: expected a proportion in [0, 1]")
    proportions = patterns.share @ patterns.sensitive
    known = [indicator.column for indicator in layout.sensitive] if families is None else families
    middle = {"uniform": np.mean, "median": np.median}
    result = proportions.copy()
    for k, indicator in enumerate(layout.sensitive):
        if rule != "data":
            siblings = [j for j, family in enumerate(known) if family == known[k]]
            halves = families is None and indicator.value is None
            result[k] = 0.5 if halves else middle[rule](proportions[siblings])
        result[k] = given.get(indicator.name, result[k])
    return result


def complete_targets(
    patterns: Patterns, layout: IndicatorLayout, given: Sequence[tuple[str, float]]
) -> dict[str, float]:
    """Given targets, and those that follow for the other groups of the same column.

    The groups of a column are exclusive if no example is in two of them. Their targets sum to the share of
    the examples that are in one of them, which is 1 without missing values: the other groups of the column
    get what remains, in proportion to the data.

    Raises
    ------
    UserError
        If a target is given twice, or those of exclusive groups contradict each other.
    """
    repeated = [name for name, times in Counter(name for name, _ in given).items() if times > 1]
    if repeated:
        raise UserError(f"the target of {repeated[0]!r} is given twice: give it once")
    targets = dict(given)
    share = patterns.share @ patterns.sensitive
    for column, members in _exclusive_groups(patterns, layout).items():
        names = [layout.sensitive[k].name for k in members]
        fixed = sum(targets.get(name, 0.0) for name in names)
        rest = [k for k, name in zip(members, names, strict=True) if name not in targets]
        if len(rest) == len(members) or any(not 0 <= targets.get(name, 0.0) <= 1 for name in names):
            continue
        total = share[members].sum()
        if fixed > 1 + _ROUNDING or (rest and fixed > total + _ROUNDING):
            raise UserError(
                f"the targets of {column!r} sum to {fixed:g}: its groups are exclusive, expected 1"
            )
        if not rest and total > 1 - _ROUNDING and fixed < 1 - _ROUNDING:
            raise UserError(
                f"the targets of {column!r} sum to {fixed:g}: its groups are exclusive, expected 1"
            )
        for k in rest:
            name = layout.sensitive[k].name
            targets[name] = float(max(total - fixed, 0.0) * share[k] / share[rest].sum())
    return targets


def check_exclusive(patterns: Patterns, layout: IndicatorLayout, target: np.ndarray) -> None:
    """Raise if the targets of a column whose groups hold every example once do not sum to 1."""
    share = patterns.share @ patterns.sensitive
    for column, members in _exclusive_groups(patterns, layout).items():
        total, wanted = share[members].sum(), target[members].sum()
        if total > 1 - _ROUNDING and abs(wanted - 1) > _ROUNDING:
            raise UserError(
                f"the targets of {column!r} sum to {wanted:g}, but every example is in one of its groups: "
                "give targets that sum to 1, or --target-rule uniform"
            )


def _exclusive_groups(patterns: Patterns, layout: IndicatorLayout) -> dict[str, list[int]]:
    """The groups of each column of categories of which no example has two."""
    columns: defaultdict[str, list[int]] = defaultdict(list)
    for k, indicator in enumerate(layout.sensitive):
        if indicator.value is not None:
            columns[indicator.column].append(k)
    return {
        column: members
        for column, members in columns.items()
        if patterns.sensitive[:, members].sum(axis=1).max() <= 1
    }
