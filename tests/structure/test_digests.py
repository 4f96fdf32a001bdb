"""Which modules the code digest of each rule contains, and what that of training must not contain."""

import ast

from tests.structure.digests import LISTING, digested_modules, render
from tests.structure.source import MODULES, nodes_of

# Drawing, progress bars and command lines: their edits must not train a model again.
DISPLAY = {"matplotlib", "rich", "tqdm", "argparse", "snakemake"}


def test_the_committed_listing_is_current():
    assert LISTING.read_text(encoding="utf-8") == render(), "run `make digests` and review what has changed"


def test_training_depends_on_no_display_no_plan_and_no_later_phase():
    packages = digested_modules()["train_model"]
    assert not {"plan", "annotate", "balance", "tabular", "evaluate", "tables"} & set(packages)
    modules = {f"clipfair.{package}.{name}" for package, names in packages.items() for name in names}
    assert {name for name in modules & set(MODULES) if DISPLAY & _external_imports(name)} == set()
    assert not [name for name in modules if name.endswith((".card", ".curves"))]


def _external_imports(module):
    imported = {alias.name for node in nodes_of(module, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes_of(module, ast.ImportFrom)}
    return {name.split(".")[0] for name in imported}
