"""The modules of the package, their syntax trees and their imports, read without importing any of them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = "clipfair"


def _name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# Dotted name -> file; the name of a package stands for its __init__.py.
MODULES = {_name_of(path): path for path in sorted((SOURCE / PACKAGE).rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def nodes_of(module: str, *kinds: type[ast.AST]) -> list[ast.AST]:
    """All nodes of these kinds in a module, nested ones included."""
    return [node for node in ast.walk(tree_of(module)) if isinstance(node, kinds)]


@cache
def imports_of(module: str) -> frozenset[str]:
    """The modules of the package that a module imports, also inside functions."""
    imported = {alias.name for node in nodes_of(module, ast.Import) for alias in node.names}
    for node in nodes_of(module, ast.ImportFrom):
        members = {f"{node.module}.{alias.name}" for alias in node.names}
        # `from package import module` depends on the module, not on the package's other members.
        imported |= members & set(MODULES) or {node.module}
    return frozenset(imported & set(MODULES))


def package_of(module: str) -> str:
    """The top-level package: ``train`` for ``clipfair.train.kinds.finetune``."""
    return module.split(".")[1] if "." in module else ""


def imports_between_packages() -> set[tuple[str, str]]:
    """Every pair (importing package, imported package) of two different top-level packages."""
    pairs = {(package_of(module), package_of(target)) for module in MODULES for target in imports_of(module)}
    return {(source, target) for source, target in pairs if source != target}
