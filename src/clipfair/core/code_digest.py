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

    It does not change with comments, docstrings, formatting, messages of errors, logging, printed text, texts
    of progress bars, or Python's version. Any other edit of a module in the closure changes it.

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
    imports = sorted({found for node in ast.walk(tree) for found in _imported(node)})
    logic = _written(_OnlyLogic().visit(tree))
    return hashlib.sha256(logic.encode()).hexdigest(), tuple(imports)


def _module_file(name: str) -> Path:
    """Return the file of a module of this package, or of any other that can be imported."""
    if name.partition(".")[0] != PACKAGE:
        return Path(importlib.util.find_spec(name).origin)
    path = SOURCE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(node: ast.AST) -> list[str]:
    """Return the modules of this package that one statement imports (also those inside functions)."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        names = []
    return [name for name in names if name.split(".")[0] == PACKAGE and _module_file(name).is_file()]


class _OnlyLogic(ast.NodeTransformer):
    """Removes what only people read, and gives f-strings one form, as their trees depend on the version."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Remove docstrings and statements that only display something."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text or _displays(node.value) else self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Remove the message of an assertion."""
        node.msg = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Remove the texts of errors and of progress bars."""
        name = _called(node)
        if name == "UserError":
            node.args, node.keywords = [], []
        elif name in MESSAGE_ERRORS:
            node.args = [argument for argument in node.args if not _is_text(argument)]
        elif name == "progress":
            node.keywords = []
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Merge neighbouring texts of an f-string and drop empty ones."""
        self.generic_visit(node)
        parts: list[ast.expr] = []
        for part in node.values:
            if not isinstance(part, ast.Constant):
                parts.append(part)
            elif parts and isinstance(parts[-1], ast.Constant):
                parts[-1] = ast.Constant(parts[-1].value + part.value)
            elif part.value:
                parts.append(ast.Constant(part.value))
        node.values = parts
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        """Treat an empty format (``{x:}``) as none."""
        self.generic_visit(node)
        if isinstance(node.format_spec, ast.JoinedStr) and not node.format_spec.values:
            node.format_spec = None
        return node


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


def _written(tree: ast.AST) -> str:
    """Return a syntax tree as text, in one form under every version of Python.

    Unlike in ``ast.dump``, absent fields and empty lists are left out: versions differ in which fields exist
    and in how empty ones are written. Unlike in ``ast.unparse``, there are no quotes to choose.
    """
    parts: list[str] = []
    _write(tree, parts)
    return "".join(parts)


def _write(value: object, parts: list[str]) -> None:
    if isinstance(value, ast.AST):
        parts.append(type(value).__name__)
        parts.append("(")
        for name, field in ast.iter_fields(value):
            if field is not None and field != []:
                parts.append(name)
                parts.append("=")
                _write(field, parts)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for item in value:
            _write(item, parts)
        parts.append("]")
    else:
        parts.append(ascii(value))
        parts.append(",")
