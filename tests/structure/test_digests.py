"""Which modules the code digest of each rule contains, and what it must not contain."""

import ast

import pytest

from tests.structure.digests import LISTING, digested_modules, render
from tests.structure.source import MODULES, nodes_of
from tests.structure.test_structure import PHASES

# Drawing, progress bars and command lines: their edits must not train a model again.
DISPLAY = {"matplotlib", "rich", "tqdm", "argparse", "snakemake"}
# The settings of M4, of conditions and of mitigations are classes of `plan` that jobs read, too.
SETTINGS = {"m4_options", "condition_settings", "mitigation_settings"}
LISTED = digested_modules()
# Each of them makes a model card, a drawing.
CARDS = {"write_model_card"}
# What must not embed, evaluate or fit a probe again: packages, or modules by the beginning of their name.
FOREIGN = {
    "embed_split": ("metrics", "m4", "evaluate.kinds", "evaluate.probe", "evaluate.run"),
    "evaluate_run": (
        "m4",
        "evaluate.embed.run",
        "evaluate.embed.towers",
        "models.architectures",
        "models.build",
    ),
    "embed_and_evaluate": ("m4",),
    "fit_probe": ("m4", "evaluate.kinds", "evaluate.embed", "evaluate.run"),
}


def test_the_committed_listing_is_current():
    assert LISTING.read_text(encoding="utf-8") == render(), "run `make digests` and review what has changed"


def test_training_depends_on_no_display_no_plan_and_no_later_phase():
    packages = LISTED["train_model"]
    assert not {"plan", "annotate", "balance", "tabular", "evaluate", "tables"} & set(packages)
    modules = modules_of("train_model")
    assert modules <= set(MODULES)
    assert {name for name in modules if DISPLAY & _external_imports(name)} == set()
    assert not [name for name in modules if name.endswith((".card", ".curves"))]


@pytest.mark.parametrize("rule", sorted(LISTED.keys() - CARDS))
def test_a_rule_depends_on_one_phase_at_most_and_on_no_display(rule):
    packages = LISTED[rule]
    assert len(set(PHASES) & set(packages)) <= 1
    assert "tables" not in packages
    assert set(packages.get("plan", ())) <= SETTINGS
    assert {name for name in modules_of(rule) if DISPLAY & _external_imports(name)} == set()


@pytest.mark.parametrize("rule", FOREIGN)
def test_what_evaluations_do_not_depend_on(rule):
    foreign = tuple(f"clipfair.{name}." for name in FOREIGN[rule])
    assert [name for name in modules_of(rule) if f"{name}.".startswith(foreign)] == []


def modules_of(rule):
    names = {f"clipfair.{package}.{name}" for package, names in LISTED[rule].items() for name in names}
    return {name.removesuffix(".__init__") for name in names}


def _external_imports(module):
    imported = {alias.name for node in nodes_of(module, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes_of(module, ast.ImportFrom)}
    return {name.split(".")[0] for name in imported}
