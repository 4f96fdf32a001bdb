"""The fairness loss of a run: from method, attribute and λ of its key."""

from collections.abc import Mapping
from dataclasses import dataclass

from clipfair.core.errors import unknown
from clipfair.core.paths import Run
from clipfair.core.settings import Violation
from clipfair.plan.configuration.methods import FinetuneMethod
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.configuration.types import NONE


@dataclass(frozen=True)
class Fairness:
    """The weight λ >= 0 of a fairness loss, and the weight of each attribute in it, all positive."""

    lam: float
    weights: Mapping[str, float]


def fairness_of(method: FinetuneMethod, run: Run, recipe: Recipe) -> Fairness | None:
    """The fairness loss of a run, None for a method without one.

    Raises
    ------
    Violation
        If the recipe is of pretraining, or the run's attribute or λ is not one of its method and recipe.
    """
    if not recipe.fine_tunes:
        raise Violation(
            ("recipe",),
            f"method {run.method!r} fine-tunes, which the recipe is not for; choose one with epochs, label "
            "and attributes",
        )
    switches = method.switches
    if switches.distance is None:
        if (run.attr, run.lam) != (NONE, "0"):
            raise Violation(
                ("attrs",),
                f"method {run.method!r} has no fairness loss; expected attr {NONE!r} and lam 0, "
                f"found {run.attr!r} and {run.lam}",
            )
        return None
    weights = {run.attr: 1.0} if switches.weights is None else switches.weights
    used = {name: weight for name, weight in weights.items() if weight}
    if switches.weights is not None and run.attr != "-".join(used):
        raise Violation(
            ("attrs",),
            f"method {run.method!r} weighs {', '.join(used)}; expected attr {'-'.join(used)!r}, "
            f"found {run.attr!r}",
        )
    for name in weights:
        if name not in recipe.attributes:
            raise Violation(
                ("attrs",), f"{unknown('attribute', name, recipe.attributes)} (recipe: attributes)"
            )
    return Fairness(float(run.lam), used)
