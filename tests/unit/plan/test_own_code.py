"""Functions of the user's own: those that do not exist stop the plan; what their code digest contains."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from clipfair.core import code_digest
from clipfair.core.paths import ROOT
from clipfair.plan.configuration_files import configuration_files, read_configuration
from clipfair.plan.own_code import job_code, own_functions

LOSS = {"methods": {"mine": {"kind": "pretrain", "loss": "nowhere:f", "temperature": 10}}}
DISTANCE = {"methods": {"mine": {"name": "Mine", "like": "a-fairclip", "distance": {"kind": "nowhere:f"}}}}


@pytest.mark.parametrize(
    ("methods", "grids"),
    [
        (LOSS, {"m4-neutralise": {"methods": ["clip", "mine"]}}),
        (DISTANCE, {"fair-aligned": {"methods": ["a-fairclip", "mine"]}}),
    ],
)
def test_a_module_that_is_not_found(plan_of, error_of, methods, grids):
    assert "methods.mine: no module 'nowhere'" in error_of(plan_of, overlay=methods | {"grids": grids})


def test_an_unused_function_is_not_looked_for(plan_of):
    assert "mine" in plan_of(overlay=LOSS).configuration.methods


OWN = {
    "my_distance.py": """\
from clipfair.core.splitting import split_evenly
from my_helpers import half


def difference(population, groups):
    return [half(group - population) for group in groups]
""",
    "my_helpers.py": "def half(x):\n    return x / 2\n",
}


@pytest.fixture
def digest_after(tmp_path, monkeypatch):
    """Returns a function that edits a file and gives the digest of a job that uses it."""
    for name, text in OWN.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def digest(name="my_distance.py", old="", new=""):
        path = tmp_path / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        code_digest._read_module.cache_clear()
        return job_code("clipfair.core.keys", own=["my_distance:difference"])

    yield digest
    code_digest._read_module.cache_clear()
    assert "my_distance" not in sys.modules


@pytest.mark.parametrize(
    ("name", "old", "new", "counts"),
    [
        ("my_distance.py", "    return", "    # A comment.\n    return", False),
        ("my_distance.py", "    return", '    """A docstring."""\n    return', False),
        ("my_distance.py", "group - population", "population - group", True),
        ("my_helpers.py", "x / 2", "x / 3", False),
    ],
    ids=["comment", "docstring", "statement", "module-of-ones-own"],
)
def test_which_edits_of_ones_own_code_change_the_digest(digest_after, name, old, new, counts):
    before = digest_after()
    assert (digest_after(name, old, new) != before) == counts


def test_modules_of_the_package_that_ones_own_code_imports_count(digest_after):
    digest_after()
    assert code_digest.code_closure("my_distance") == ["clipfair.core.splitting", "my_distance"]


def test_a_compiled_module_is_read_as_bytes(tmp_path, monkeypatch):
    file = tmp_path / f"my_compiled{EXTENSION_SUFFIXES[0]}"
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for content in (b"\x7fELF 1", b"\x7fELF 2"):
        file.write_bytes(content)
        found.append(job_code("clipfair.core.keys", own=["my_compiled:distance"]))
    assert found[0] != found[1]


def test_the_configuration_names_no_functions_outside_the_package():
    assert own_functions(read_configuration(configuration_files(ROOT))) == []
