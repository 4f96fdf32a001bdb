"""What made a result: the digest of its code, its spec.json, the seeds derived from its name."""

import ast
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from clipfair.core.io import sha256_of, sha256_of_folder, write_json

PACKAGE = "clipfair"
SOURCE = Path(__file__).parents[1]

# The packages whose versions can move a number.
PACKAGES = (
    *("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "fairlearn"),
    *("torch", "torchvision", "open_clip_torch", "geomloss", "transformers", "pillow"),
)


def put_code_first() -> None:
    """Let the processes started from here import this code before any other clipfair they may know."""
    known = os.environ.get("PYTHONPATH", "")
    if str(SOURCE.parent) not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SOURCE.parent), known]))


def code_digest(*modules: str) -> str:
    """Digest of the logic of ``modules`` and of every module of this package they import.

    Comments, docstrings, blank lines and formatting do not change it; any other edit of any
    module in the closure does. Given to a rule as a parameter, it makes Snakemake rerun just the
    jobs whose logic changed (an edited import reruns nothing by itself).

    Parameters
    ----------
    modules
        Dotted names, e.g. ``"clipfair.tabular.run"``. A module loaded by name at run time is not
        seen by the import scan: name it too.
    """
    seen: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen[name], imports = _read_module(name)
            waiting.extend(imports)
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Digest of one module's logic, and the modules of this package it imports."""
    tree = ast.parse(_module_file(name).read_text(encoding="utf-8"))
    imports = sorted({found for node in ast.walk(tree) for found in _imported(node)})
    _drop_docstrings(tree)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(imports)


def _module_file(name: str) -> Path:
    path = SOURCE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(node: ast.AST) -> list[str]:
    """The modules of this package that one statement imports (also those inside functions)."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        names = []
    return [name for name in names if name.split(".")[0] == PACKAGE and _module_file(name).is_file()]


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]


def settings_digest(settings: Mapping) -> str:
    """Digest of a nested mapping of plain values, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def weights_digest(model: Mapping, weights: str | Path | None, seed: int) -> str:
    """Digest that identifies the weights of a model.

    Parameters
    ----------
    model
        The model's entry of the configuration.
    weights
        The file of the weights; None for random weights.
    seed
        The seed of random weights.

    Returns
    -------
    The sha256 of the file; for random weights the digest of what they are drawn from.
    """
    if weights is None:
        return settings_digest({"model": dict(model), "seed": seed})
    return sha256_of(weights)


def write_spec(
    path: str,
    *,
    made_by: str,
    code: str,
    settings: Mapping,
    inputs: Mapping[str, str],
    folders: Mapping[str, str] | None = None,
) -> None:
    """Write spec.json: everything that made the result beside it, and nothing that did not.

    Parameters
    ----------
    made_by
        The rule.
    code
        Its :func:`code_digest`.
    settings
        What the registry says of this run.
    inputs
        Name -> path of every file it was made from; the spec keeps their sha256.
    folders
        Name -> path of every folder that it describes; the spec keeps their sha256. What is made from a
        folder depends on this file, since Snakemake knows of a folder no more than its time.
    """
    spec = {
        "made_by": made_by,
        "code": code,
        "settings": dict(settings),
        "inputs": {name: {"path": str(file), "sha256": sha256_of(file)} for name, file in inputs.items()},
        "folders": {name: sha256_of_folder(folder) for name, folder in (folders or {}).items()},
        "environment": environment(),
    }
    write_json(path, spec)


def environment() -> dict:
    """The versions and the machine type that can move a number."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    """Of an installed package; not every job's environment has all of them."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
