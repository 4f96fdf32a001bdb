"""Functions that the configuration names as ``module:function``."""

import ast
from collections.abc import Callable, Iterator
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
    file = find_module_file(name.partition(":")[0])
    if file is None:
        raise _no_module(name.partition(":")[0], where)
    return file


def function_problem(name: str) -> str | None:
    """Return why ``module:function`` cannot be used, as far as the text of its module says; None if it can.

    The module is not imported, since that takes seconds where it imports torch.
    """
    module_name, _, function_name = name.partition(":")
    file = find_module_file(module_name)
    if file is None:
        return _no_module_message(module_name)
    if file.suffix != ".py":
        return None
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        return f"{file}, line {error.lineno}: not valid Python: {error.msg}"
    names = set(_names_of(tree))
    if function_name in names or "*" in names:
        return None
    return f"{name!r}: {file} defines no function {function_name!r}"


def _names_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def find_module_file(module_name: str) -> Path | None:
    """Return the file of an importable module, or of one named from ``src/clipfair``; None without one."""
    for candidate in _candidates(module_name):
        try:
            spec = find_spec(candidate)
        except ModuleNotFoundError:  # the package that it would be in
            continue
        if spec is not None and spec.origin is not None:
            return Path(spec.origin)
    return None


def _candidates(module_name: str) -> tuple[str, str]:
    return module_name, f"clipfair.{module_name}"


def _no_module(name: str, where: str) -> UserError:
    return UserError(f"{where}: {_no_module_message(name)}")


def _no_module_message(name: str) -> str:
    return (
        f"no module {name!r}; expected module:function of a module on the Python path (PYTHONPATH) "
        "or of a file below src/clipfair"
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
