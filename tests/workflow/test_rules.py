"""Conventions of the workflow's rules and scripts."""

import re

import pytest

from tests.repository import ROOT
from tests.structure.digests import script_name

SMK = sorted(ROOT.glob("workflow/rules/*.smk"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in SMK}
RULES = {
    match[2] or script_name(match[3]): match[3]
    for text in TEXTS.values()
    for match in re.finditer(r"^( *)rule ?(\w*):\n((?:\1    .*\n|\n)+)", text, flags=re.MULTILINE)
}
SCRIPTS = sorted(ROOT.glob("workflow/scripts/*.py"))


def test_there_are_rules():
    assert {"fetch_dataset", "prepare_dataset", "evaluate_mitigation", "build_table"} <= set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_log_a_benchmark_an_environment_and_a_script_of_its_name(name):
    for directive in ("log", "benchmark", "conda"):
        assert f"    {directive}:\n" in RULES[name]
    assert f'"../scripts/{name}.py"' in RULES[name]
    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_declares_and_does_not_compute(name):
    assert "    run:\n" not in RULES[name]
    assert "lambda" not in RULES[name]
    assert " + " not in RULES[name]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_file_of_rules_opens_with_its_contract(name):
    head = TEXTS[name].split("\n\n")[0]
    assert all(re.search(rf"^# {part}: ", head, flags=re.MULTILINE) for part in ("in", "out", "steps"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_thin_and_belongs_to_a_rule(path):
    assert path.stem in RULES
    code = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(code) <= 32


def test_only_two_modules_import_snakemake():
    """The progress view, and what asks Snakemake's parser for the targets."""
    files = [
        path
        for path in ROOT.glob("src/**/*.py")
        if re.search(r"^ *(import|from) snakemake", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    assert sorted(str(path.relative_to(ROOT / "src")) for path in files) == [
        "clipfair/plan/snakemake/requested_targets.py",
        "snakemake_logger_plugin_clipfair/__init__.py",
    ]
