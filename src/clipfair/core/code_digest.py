"""The digest of the code that computes a result: a parameter of rules, so that an edit reruns the right jobs.

An edited module reruns nothing by itself, since Snakemake only looks at a rule's script. Only the standard
library is imported here: the digest is the same under every supported version of Python, which a test checks
with whatever versions are installed.
"""

import ast
import builtins
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

PACKAGE = "clipfair"
SOURCE = Path(__file__).parents[1]

# Modules that cannot change a result: messages and progress bars, and the records of what made a result.
UNCOUNTED = frozenset({"clipfair.core.errors", "clipfair.core.provenance", "clipfair.core.code_digest"})

# Exceptions whose arguments are messages. The package's other exceptions may carry text into a record.
MESSAGE_ERRORS = frozenset({"UserError", *(name for name in dir(builtins) if name.endswith("Error"))})
# Calls that only display something, as statements of their own.
DISPLAY_CALLS = frozenset({"print", "warn"})
LOGGERS = frozenset({"logging", "logger"})


def code_digest(*modules: str) -> str:
    """Return a digest of the logic of ``modules`` and of every module of this package that they import.

    It does not change with comments, docstrings, formatting or Python's version, nor with these texts:

    - all arguments of ``UserError(...)``;
    - literals and f-strings that are arguments of a builtin exception whose name ends in ``Error``;
    - the message of ``assert``;
    - a statement that is one call of ``print(...)``, of any ``warn(...)``, or of a method of ``logging`` or
      ``logger``;
    - keyword arguments of ``progress(...)``.

    Any other edit of a module in the closure changes it. That includes a message in a variable, from a
    function, or (but for ``UserError``) made with ``+``, ``%`` or ``format``; messages of other exceptions,
    such as ``SystemExit``; and calls of ``log.warning``, ``sys.stderr.write`` or ``tqdm``.

    Parameters
    ----------
    modules
        Dotted names, e.g. ``"clipfair.tabular.run"``, or a user's own importable modules. A module that is
        loaded by name at run time is not found through imports and has to be named.
    """
    text = "\n".join(f"{name} {_read_module(name)[0]}" for name in code_closure(*modules))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_closure(*modules: str) -> list[str]:
    """Return the modules that :func:`code_digest` covers, sorted: ``modules`` and all that they import."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in UNCOUNTED:
            found.add(name)
            waiting.extend(_read_module(name)[1])
    return sorted(found)


@cache
def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the digest of one module's logic, and the modules of this package that it imports."""
    tree = ast.parse(_module_file(name).read_text(encoding="utf-8"))
    parts: list[str] = []
    imports: set[str] = set()
    _write(tree, parts, imports)
    imported = sorted(name for name in imports if _module_file(name).is_file())
    return hashlib.sha256("".join(parts).encode()).hexdigest(), tuple(imported)


def _module_file(name: str) -> Path:
    """Return the file of a module of this package, or of any other that can be imported."""
    if name.partition(".")[0] != PACKAGE:
        return Path(importlib.util.find_spec(name).origin)
    path = SOURCE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return what one statement may import of this package: modules, and names that may be modules."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        names = []
    return [name for name in names if name.split(".")[0] == PACKAGE]


def _only_logic(node: ast.AST) -> None:
    """Remove from a node what only people read; give an f-string the same form under every version."""
    if isinstance(node, ast.Assert):
        node.msg = None
    elif isinstance(node, ast.Call):
        _remove_texts(node)
    elif isinstance(node, ast.JoinedStr):
        _merge_texts(node)
    elif isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
        _merge_texts(node.format_spec)
        if not node.format_spec.values:  # {x:} is {x}
            node.format_spec = None


def _remove_texts(call: ast.Call) -> None:
    """Remove the texts of an error or of a progress bar."""
    name = _called(call)
    if name == "UserError":
        call.args, call.keywords = [], []
    elif name in MESSAGE_ERRORS:
        call.args = [argument for argument in call.args if not _is_text(argument)]
    elif name == "progress":
        call.keywords = []


def _merge_texts(string: ast.JoinedStr) -> None:
    """Merge neighbouring texts of an f-string and drop empty ones."""
    parts: list[ast.expr] = []
    for part in string.values:
        if not isinstance(part, ast.Constant):
            parts.append(part)
        elif parts and isinstance(parts[-1], ast.Constant):
            parts[-1] = ast.Constant(parts[-1].value + part.value)
        elif part.value:
            parts.append(ast.Constant(part.value))
    string.values = parts


def _is_for_people(node: object) -> bool:
    """Return True for a docstring, and for a statement that only displays something."""
    if not isinstance(node, ast.Expr):
        return False
    is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return is_text or _displays(node.value)


def _called(call: ast.Call) -> str:
    """Return the last part of the name of what is called, or an empty string."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _displays(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    owner = getattr(value.func, "value", None)
    return _called(value) in DISPLAY_CALLS or getattr(owner, "id", "") in LOGGERS


def _is_text(argument: ast.expr) -> bool:
    return isinstance(argument, ast.JoinedStr) or (
        isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def _write(value: object, parts: list[str], imports: set[str]) -> None:
    """Append the logic of a syntax tree as text, in one form under every version of Python; collect imports.

    Unlike in ``ast.dump``, absent fields and empty lists are left out: versions differ in which fields exist
    and in how empty ones are written. Unlike in ``ast.unparse``, there are no quotes to choose.
    """
    if isinstance(value, ast.AST):
        if isinstance(value, (ast.Import, ast.ImportFrom)):
            imports.update(_imported(value))
        _only_logic(value)
        parts.append(type(value).__name__)
        parts.append("(")
        for name in value._fields:
            field = getattr(value, name, None)
            if isinstance(field, list):
                field = [item for item in field if not _is_for_people(item)]
            if field is not None and field != []:
                parts.append(name)
                parts.append("=")
                _write(field, parts, imports)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for item in value:
            _write(item, parts, imports)
        parts.append("]")
    else:
        parts.append(ascii(value))
        parts.append(",")
