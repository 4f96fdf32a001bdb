"""The metrics of evaluations, and checks that a table of CLIP the Bias can show the values that it names."""

from collections.abc import Iterator, Mapping

from clipfair.core.errors import unknown
from clipfair.core.settings import Key, Violation
from clipfair.metrics.evaluated_distances import named_distances
from clipfair.plan.configuration.evaluations import Evaluation
from clipfair.plan.configuration.studies import Table
from clipfair.plan.study_plan import StudyPlan

RECALLS = [f"{way}_recall_{k}" for way in ("image_to_text", "text_to_image") for k in (1, 5, 10)]
ASSOCIATIONS = [
    *("association_mean", "association_median", "association_max", "pairwise_mean", "pairwise_max"),
    *("gender_accuracy", "gender_log_loss"),
]
# Builders whose runs differ in condition, model and seed only.
OF_ONE_METHOD = (
    *("data_size", "learning_dynamics", "quality", "human_share", "quality_tests"),
    *("published_models", "trained_conditions"),
)

# What such runs share: the level of a run, and its key in a grid.
LEVELS = {"dataset": "dataset", "method": "methods", "attr": "attrs", "lam": "lams"}
ALL_EXAMPLES = "all"  # the name of the group of all of them


def metrics_of(evaluation: Evaluation) -> list[str] | None:
    """The metrics of all labels together that an evaluation of CLIP the Bias has; None for another kind."""
    match evaluation.kind:
        case "representation":
            parity = ["parity_mean", "parity_median"] if len(evaluation.attributes) == 2 else []
            return [*parity, "representation_bias"]
        case "association":
            return ASSOCIATIONS
        case "zero_shot":
            return ["accuracy"]
        case "few_shot":
            return [f"accuracy_{shots}shot" for shots in evaluation.shots]
        case "retrieval":
            return RECALLS
    return None


def check_metrics(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that one of the evaluations that a table shows has each metric and group of its settings.

    Raises
    ------
    Violation
        The first metric or group that none has.
    """
    evaluations = plan.configuration.evaluations
    for key, settings in _showing(table.settings, ("tables", name, "settings")):
        shown = ", ".join(settings["shown"])
        grouped = [getattr(evaluations[one], "groups", {}) for one in settings["shown"]]
        groups = {ALL_EXAMPLES, *(group for groups in grouped for group in groups)}
        for group in settings.get("groups", []):
            if group not in groups:
                raise Violation((*key, "groups"), unknown(f"group of {shown}", group, groups))
        of_each = [metrics_of(evaluations[one]) for one in settings["shown"]]
        if None in of_each:
            continue
        known = {metric for metrics in of_each for metric in metrics}
        setting = "metric" if "metric" in settings else "metrics"
        named = settings.get(setting, [])
        for metric in [named] if isinstance(named, str) else named:
            if metric not in known:
                raise Violation((*key, setting), unknown(f"metric of {shown}", metric, known))


def _showing(value: object, key: Key) -> Iterator[tuple[Key, Mapping]]:
    """The settings with ``shown``, at any depth, with their path."""
    if isinstance(value, Mapping):
        if "shown" in value:
            yield key, value
        for name, item in value.items():
            yield from _showing(item, (*key, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _showing(item, (*key, place))


def check_one_method(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that the runs of a table differ in nothing that the table has no place for.

    Raises
    ------
    Violation
        If its grids have several datasets, methods, attributes or values of λ.
    """
    if table.builder not in OF_ONE_METHOD or not name.startswith("m4/"):
        return
    for level, entry in LEVELS.items():
        found: dict[str, str] = {}
        for grid in table.grids:
            found |= {getattr(run, level): grid for run in plan.grids[grid].batches}
        if len(found) > 1:
            raise Violation(
                ("grids", list(found.values())[-1], entry),
                f"table {name!r} shows runs of one {level}, and its grids have {', '.join(found)}; "
                "give the others a grid and a table of their own",
            )


def check_tracked(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that the trainings of a table of epochs measure them, and track the distances that it names.

    Raises
    ------
    Violation
        The first recipe without measures of the test split, or distance that none tracks.
    """
    for grid in table.grids if "epochs" in table.needs else ():
        if plan.configuration.recipes[plan.grids[grid].recipe].measure_test is False:
            raise Violation(
                ("tables", name, "needs"),
                f"epochs of grid {grid!r}, whose recipe {plan.grids[grid].recipe!r} has measure_test: false; "
                "set it to true",
            )
    if table.builder != "distance_vs_metrics" or "distances" not in table.settings:
        return
    recipes = [plan.configuration.recipes[plan.grids[grid].recipe] for grid in table.grids]
    known = {metric for recipe in recipes for metric in named_distances(recipe.tracked)}
    for metric in table.settings["distances"]:
        if metric not in known:
            raise Violation(
                ("tables", name, "settings", "distances"), unknown("tracked distance", metric, known)
            )
