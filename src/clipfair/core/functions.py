"""Functions that the configuration names as ``module:function``."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from clipfair.core.errors import UserError

SOURCE = Path(__file__).parents[1]


def module_names(folder: str) -> list[str]:
    """Return the names of the modules in a folder below ``src/clipfair``, sorted."""
    return sorted(path.stem for path in SOURCE.joinpath(folder).glob("[a-z]*.py"))


def load_function(name: str, *, where: str) -> Callable:
    """Import the function ``module:function``.

    Parameters
    ----------
    name
        ``module`` is importable, or a file below ``src/clipfair`` by its dotted path in that folder.
    where
        The key of the configuration, for the error message.

    Raises
    ------
    UserError
        If the module cannot be found or has no such function.
    """
    module_name, _, function_name = name.partition(":")
    module = _load_module(module_name, where)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UserError(f"{where}: {name!r}: {module.__file__} defines no function {function_name!r}")
    return function


def find_function_file(name: str, *, where: str) -> Path:
    """Return the file of the module of ``module:function``, without importing the module.

    Raises
    ------
    UserError
        If the module cannot be found.
    """
    module_name = name.partition(":")[0]
    for candidate in _candidates(module_name):
        try:
            spec = find_spec(candidate)
        except ModuleNotFoundError:  # the package that it would be in
            continue
        if spec is not None and spec.origin is not None:
            return Path(spec.origin)
    raise _no_module(module_name, where)


def _candidates(module_name: str) -> tuple[str, str]:
    return module_name, f"clipfair.{module_name}"


def _no_module(name: str, where: str) -> UserError:
    return UserError(
        f"{where}: no module {name!r}; expected module:function of an installed module or of a file below "
        "src/clipfair"
    )


def _load_module(name: str, where: str) -> ModuleType:
    for candidate in _candidates(name):
        try:
            return import_module(candidate)
        except ModuleNotFoundError as error:
            # A module that exists, but imports one that does not, is an error of its own.
            if not f"{candidate}.".startswith(f"{error.name}."):
                raise
    raise _no_module(name, where)
