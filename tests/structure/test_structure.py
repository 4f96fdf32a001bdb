"""The structure of src: layers of packages, no import cycles, limits on size, unique class names."""

import ast
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.structure.source import (
    MODULES,
    PACKAGE,
    ROOT,
    SOURCE,
    imports_between_packages,
    imports_of,
    nodes_of,
)

PHASES = ("annotate", "balance", "tabular", "train", "evaluate")

# A package imports itself and the packages of the rows above its own. `models` has its own row because it
# downloads published weights with data.fetch and prepares texts with data.captions.
LAYERS = (
    ("core",),
    ("data", "m4", "metrics"),
    ("models",),
    ("plan",),
    PHASES,
    ("tables",),
)

MAX_ENTRIES = 13
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60


def test_the_top_level_is_small_and_every_package_has_a_layer():
    entries = {path.name for path in (SOURCE / PACKAGE).iterdir()} - {"__pycache__"}
    packages = {package for layer in LAYERS for package in layer}
    assert len(entries) <= MAX_ENTRIES
    assert entries == packages | {"__init__.py"}


@pytest.mark.parametrize("layer", range(len(LAYERS)), ids=["+".join(layer) for layer in LAYERS])
def test_a_package_imports_only_packages_of_lower_layers(layer):
    below = {package for lower in LAYERS[:layer] for package in lower}
    upward = {
        (source, target)
        for source, target in imports_between_packages()
        if source in LAYERS[layer] and target not in below
    }
    assert upward == set()


def test_the_page_names_the_same_layers():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(rows) == sorted(
        (str(number), package) for number, layer in enumerate(LAYERS, start=1) for package in layer
    )


def test_the_package_itself_imports_nothing():
    assert imports_of(PACKAGE) == frozenset()


def test_no_import_cycles_between_modules():
    """Imports inside functions count too."""
    assert find_cycle({module: imports_of(module) for module in MODULES}) == []


def test_no_import_cycles_between_packages():
    arrows = defaultdict(set)
    for source, target in imports_between_packages():
        arrows[source].add(target)
    assert find_cycle(arrows) == []


def test_a_cycle_is_found():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])


def find_cycle(arrows):
    """The nodes of one cycle of a graph {node: its targets}, or an empty list."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_file_is_too_long():
    """Modules, the logger plugin included, and files of the workflow."""
    files = [*SOURCE.rglob("*.py"), ROOT / "Snakefile", *ROOT.glob("workflow/**/*.smk")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path for path, count in lines.items() if count > MAX_FILE_LINES} == set()
    assert {"snakemake_logger_plugin_clipfair", "rules", "inputs"} <= {path.parent.name for path in files}


def test_no_function_is_too_long():
    too_long = {
        f"{path}: {node.name}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert too_long == set()


def test_a_class_name_is_used_once():
    places = defaultdict(set)
    for module in MODULES:
        for node in nodes_of(module, ast.ClassDef):
            places[node.name].add(module)
    assert {name for name, modules in places.items() if len(modules) > 1} == set()


def test_no_relative_imports():
    """The code digest and the tests here follow absolute imports only."""
    relative = [module for module in MODULES for node in nodes_of(module, ast.ImportFrom) if node.level]
    assert relative == []


def test_every_package_has_an_init_file():
    folders = {path.parent for path in MODULES.values()}
    assert all((folder / "__init__.py").is_file() for folder in folders)
