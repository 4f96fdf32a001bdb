"""Target proportions of the groups, by a rule or as given."""

from collections.abc import Mapping, Sequence

import numpy as np

from clipfair.balance.indicators import IndicatorLayout
from clipfair.core.errors import UserError
from clipfair.m4 import Patterns
from clipfair.plan.condition_settings import TargetRule


def target_proportions(
    patterns: Patterns,
    layout: IndicatorLayout,
    *,
    rule: TargetRule = "data",
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
            raise UserError(
                f"a target is given for {name!r}, which is no group: the groups are {', '.join(names)}"
            )
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
