"""User-defined functions and distances named in the settings of a job, and the digest of their code."""

from collections.abc import Iterable, Iterator, Mapping

from clipfair.core.code_digest import PACKAGE, SOURCE, code_digest
from clipfair.core.functions import find_function_file, function_problem, module_names
from clipfair.core.io import sha256_of
from clipfair.core.settings import Violation
from clipfair.plan.configuration.types import is_own
from clipfair.plan.study_plan import StudyPlan


def own_functions(settings: object) -> list[str]:
    """Every ``module:function`` in the settings of a job, at any depth."""
    if isinstance(settings, Mapping):
        settings = list(settings.values())
    if isinstance(settings, list):
        return [name for item in settings for name in own_functions(item)]
    return [settings] if is_own(settings) else []


def distance_modules(settings: object) -> list[str]:
    """The modules of the distances (``kind`` and arguments) in the settings of a job, at any depth."""
    kinds = {name for name in _kinds(settings) if name in module_names("metrics/distances")}
    return sorted(f"clipfair.metrics.distances.{name}" for name in kinds)


def _kinds(settings: object) -> Iterator[str]:
    if isinstance(settings, Mapping):
        if isinstance(settings.get("kind"), str):
            yield settings["kind"]
        for value in settings.values():
            yield from _kinds(value)


def job_code(*modules: str, own: Iterable[str] = ()) -> str:
    """The digest of the code of a job: of ``modules`` and of the modules of the user's ``own`` functions.

    As for a loader of the user's own, comments do not count and the modules of clipfair that it imports do;
    other modules that it imports do not. A compiled module is read as bytes.

    Raises
    ------
    UserError
        If there is no module for one of ``own``.
    """
    named, compiled = list(modules), []
    for name in own:
        file = find_function_file(name, where=f"methods.yaml: {name}")
        if file.is_relative_to(SOURCE):
            named.append(".".join([PACKAGE, *file.relative_to(SOURCE).with_suffix("").parts]))
        elif file.suffix == ".py":
            named.append(name.partition(":")[0])
        else:
            compiled.append(sha256_of(file)[:16])
    return "-".join([code_digest(*named), *compiled])


def check_own_functions(plan: StudyPlan) -> None:
    """Check that the functions of the user's own that the study's grids use exist, without importing them.

    Raises
    ------
    Violation
        At the first that does not.
    """
    configuration = plan.configuration
    for grid in plan.grids.values():
        named = [
            *((("methods", name), configuration.methods[name].model_dump()) for name in grid.methods),
            *(
                (("evaluations", name), configuration.evaluations[name].model_dump().get("distances"))
                for name in grid.evaluations
            ),
            (("recipes", grid.recipe), configuration.recipes[grid.recipe].model_dump().get("tracked")),
        ]
        for key, settings in named:
            for problem in filter(None, map(function_problem, own_functions(settings))):
                raise Violation(key, problem)
