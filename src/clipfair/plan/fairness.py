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
        _check_without_loss(run, recipe, uses_cells=switches.uses_cells)
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
        _check_attribute(name, recipe)
    return Fairness(float(run.lam), used)


def _check_without_loss(run: Run, recipe: Recipe, *, uses_cells: bool) -> None:
    """Check that the attribute of a run is that of its cells, or none, and that λ is 0."""
    if uses_cells and run.attr != NONE:
        _check_attribute(run.attr, recipe)
    if (run.attr != NONE) != uses_cells or run.lam != "0":
        attribute = "an attribute of the recipe" if uses_cells else repr(NONE)
        raise Violation(
            ("attrs",),
            f"method {run.method!r} has no fairness loss; expected attr {attribute} and lam 0, "
            f"found {run.attr!r} and {run.lam}",
        )


def _check_attribute(name: str, recipe: Recipe) -> None:
    if name not in recipe.attributes:
        raise Violation(("attrs",), f"{unknown('attribute', name, recipe.attributes)} (recipe: attributes)")
