"""Functions of the user's own, named ``module:function``, and the digest of their code."""

from collections.abc import Iterable, Mapping

from clipfair.core.code_digest import PACKAGE, SOURCE, code_digest
from clipfair.core.functions import find_function_file
from clipfair.core.io import sha256_of
from clipfair.plan.configuration.types import is_own


def own_functions(settings: object) -> list[str]:
    """Every ``module:function`` in the settings of a job, at any depth."""
    if isinstance(settings, Mapping):
        settings = list(settings.values())
    if isinstance(settings, list):
        return [name for item in settings for name in own_functions(item)]
    return [settings] if is_own(settings) else []


def job_code(*modules: str, own: Iterable[str] = ()) -> str:
    """The digest of the code of a job: of ``modules`` and of the files of the user's ``own`` functions.

    Raises
    ------
    UserError
        If there is no module for one of ``own``.
    """
    inside, outside = list(modules), []
    for name in own:
        file = find_function_file(name, where=f"methods: {name}")
        if file.is_relative_to(SOURCE):
            inside.append(".".join([PACKAGE, *file.relative_to(SOURCE).with_suffix("").parts]))
        else:
            outside.append(sha256_of(file)[:16])
    return "-".join([code_digest(*inside), *outside])
