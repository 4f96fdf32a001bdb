"""The modules in the code digest of each rule: ``make digests`` writes them to digests.yaml.

A change of digests.yaml in a commit shows whose results depend on what. Where the digest differs between the
jobs of a rule (by the kind of a method, for example), the modules of all of them are listed. Tables and the
report are left out: they are made again within seconds. What the digest of a table contains is tested in
tests/unit/plan/test_table_jobs.py.
"""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from clipfair.core.code_digest import code_closure
from tests.structure.source import MODULES, ROOT

LISTING = Path(__file__).with_suffix(".yaml")
RULES = ROOT / "workflow" / "rules"
INPUTS = ROOT / "workflow" / "inputs"
# What the property `modules` of a job may name.
JOB_MODULES = {
    "training_job(": (
        "clipfair.train.kinds.*",
        "clipfair.train.losses.*",
        "clipfair.train.example_weights.*",
        "clipfair.metrics.distances.*",
    ),
    "search_job(": (
        "clipfair.train.kinds.finetune",
        "clipfair.train.example_weights.*",
        "clipfair.metrics.distances.*",
    ),
    "evaluation_job(": ("clipfair.evaluate.kinds.*", "clipfair.metrics.distances.*"),
}
HEAD = "# Written by `make digests`: the modules whose logic the results of each rule depend on.\n"


def digested_modules() -> dict[str, dict[str, list[str]]]:
    """Return rule -> package -> modules of its code digests."""
    inputs = "\n".join(path.read_text(encoding="utf-8") for path in sorted(INPUTS.glob("*.smk")))
    functions = dict(
        re.findall(r"^def (get_\w+_code)\(.*\):\n((?:    .*\n|\n)+)", inputs, flags=re.MULTILINE)
    )
    listing = {}
    for path in sorted(set(RULES.glob("*.smk")) - {RULES / "tables.smk", RULES / "report.smk"}):
        rules = re.findall(
            r"^( *)rule ?(\w*):\n((?:\1    .*\n|\n)+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE
        )
        for _, rule, text in rules:
            roots = _digest_roots(text, functions)
            if roots:
                listing[rule or script_name(text)] = _by_package(code_closure(*sorted(roots)))
    return listing


def script_name(rule: str) -> str:
    """Return the name of the script of a rule: that of rules that a loop generates."""
    return re.search(r"/scripts/(\w+)\.py", rule)[1]


def _digest_roots(source: str, functions: dict[str, str]) -> set[str]:
    """Return the modules named in calls of code_digest, here or in functions ..._code of workflow/inputs."""
    roots = set()
    for name in re.findall(r"\b(get_\w+_code)\b", source):
        roots |= _digest_roots(functions[name], functions)
    if "find_loader(" in source:
        roots.update(module for module in MODULES if module.startswith("clipfair.data.datasets."))
    named = re.findall(r'"(clipfair\.[\w.{}()\[\]]+)"', source)
    if ".modules" in source:
        named += [pattern for job, patterns in JOB_MODULES.items() if job in source for pattern in patterns]
    for name in named:
        # A placeholder stands for any name.
        pattern = re.sub(r"\{[^}]*\}", "*", name)
        found = [module for module in MODULES if fnmatchcase(module, pattern)]
        assert found, f"code_digest names {name}, which does not exist"
        roots.update(found)
    return roots


def _by_package(modules: list[str]) -> dict[str, list[str]]:
    packages: dict[str, list[str]] = {}
    for module in modules:
        package, _, rest = module.removeprefix("clipfair.").partition(".")
        packages.setdefault(package, []).append(rest or "__init__")
    return packages


def render() -> str:
    """Return the text of digests.yaml."""
    return HEAD + yaml.safe_dump(digested_modules(), default_flow_style=None, width=90, sort_keys=False)


if __name__ == "__main__":
    LISTING.write_text(render(), encoding="utf-8")
