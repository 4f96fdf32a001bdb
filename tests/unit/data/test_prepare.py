"""Loaders: which module reads a dataset, and a dataset of one's own from one module and one entry."""

import importlib
import inspect
import sys
from dataclasses import replace

import pandas as pd
import pytest

from clipfair.core import code_digest
from clipfair.data.datasets import adult
from clipfair.data.prepare import find_loader, prepare_dataset

OWN_LOADER = """
import pandas as pd

def load(folder):
    return pd.read_csv(f"{folder}/people.csv", dtype={"sex": "category", "split": "category"})
"""


def test_every_dataset_of_the_catalogue_has_a_loader(catalogue):
    for dataset in catalogue.values():
        module = importlib.import_module(find_loader(dataset))
        assert list(inspect.signature(module.load).parameters) == ["folder"]


def test_the_default_loader_is_named_like_the_dataset(catalogue):
    assert find_loader(catalogue["harvard-fairvlmed"]) == "clipfair.data.datasets.harvard_fairvlmed"
    assert find_loader(catalogue["cc12m"]) == "clipfair.data.datasets.pairs"
    generated = replace(catalogue["harvard-fairvlmed"], id="embedded-fundus", like="harvard-fairvlmed")
    assert find_loader(generated) == "clipfair.data.datasets.harvard_fairvlmed"


def test_a_module_of_ones_own_loads_a_dataset(catalogue, tmp_path, monkeypatch):
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "my_module.py").write_text(OWN_LOADER)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "people.csv").write_text("sex,split\nfemale,train\nmale,test\n")
    own = replace(
        catalogue["adult"],
        id="people",
        loader="my_package.my_module",
        attributes={"sex": ("female", "male")},
        labels={},
    )
    prepare_dataset(own, tmp_path, tmp_path / "table.parquet", subset=True)
    assert pd.read_parquet(tmp_path / "table.parquet")["sex"].tolist() == ["female", "male"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def load(folder:\n", "own_loader.py, line 1: not valid Python: '(' was never closed"),
        (
            "def load(folder):\n    return 3\n",
            "load of own_loaders.own_loader returned int; expected a data frame",
        ),
    ],
)
def test_a_wrong_loader_of_ones_own_is_one_line(catalogue, tmp_path, monkeypatch, error_of, code, message):
    package = tmp_path / "own_loaders"
    package.mkdir()
    (package / "own_loader.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    own = replace(catalogue["adult"], id="people", loader="own_loaders.own_loader")
    assert message in error_of(prepare_dataset, own, tmp_path, tmp_path / "table.parquet")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def load(folder):\n    x = 1\n    return x / 0\n",
            ", line 3): ZeroDivisionError: division by zero;",
        ),
        ("import no_such\n", ", line 1): ModuleNotFoundError: No module named 'no_such';"),
        ("def load():\n    pass\n", "loader.py): TypeError: load() takes 0 positional arguments but 1 was"),
        ("def load(folder):\n    open(folder / 'a.csv')\n", ", line 2): FileNotFoundError: [Errno 2]"),
        ("load = 3\n", "dataset 'people': failing.loader has no function load(folder); write it"),
    ],
)
def test_a_loader_that_fails_is_one_line_with_its_file(
    catalogue, tmp_path, monkeypatch, error_of, code, message
):
    package = tmp_path / "failing"
    package.mkdir()
    (package / "loader.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "failing.loader", raising=False)
    own = replace(catalogue["adult"], id="people", loader="failing.loader")
    found = error_of(prepare_dataset, own, tmp_path, tmp_path / "table.parquet")
    assert found.startswith("dataset 'people': ")
    assert message in found


def test_the_traceback_of_a_loader_goes_to_standard_error(catalogue, tmp_path, monkeypatch, error_of, capsys):
    monkeypatch.setattr(adult, "load", lambda folder: {}["sex"])
    error_of(prepare_dataset, catalogue["adult"], tmp_path, tmp_path / "table.parquet")
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("loader", ["no_such_module", "no_such_package.module", None])
def test_a_missing_loader_is_named(catalogue, tmp_path, error_of, loader):
    dataset = replace(catalogue["adult"], id="my-data", loader=loader)
    message = error_of(prepare_dataset, dataset, tmp_path, tmp_path / "table.parquet")
    name = loader if loader and "." in loader else f"clipfair.data.datasets.{loader or 'my_data'}"
    assert message.startswith(f"dataset 'my-data': no module {name} with load(folder)")


def test_a_module_without_load_is_named(catalogue, tmp_path, error_of):
    dataset = replace(catalogue["adult"], loader="json.decoder")
    message = error_of(prepare_dataset, dataset, tmp_path, tmp_path / "table.parquet")
    assert message == "dataset 'adult': json.decoder has no function load(folder); write it"


def test_the_digest_of_a_loader_of_ones_own_follows_its_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(code_digest, "_read_module", code_digest._read_module.__wrapped__)  # no cache
    digests = []
    for text in (OWN_LOADER, f"# A comment.\n{OWN_LOADER}", f"{OWN_LOADER}\nLIMIT = 1\n"):
        (tmp_path / "own_loader.py").write_text(text)
        digests.append(code_digest.code_digest("clipfair.data.prepare", "own_loader"))
    assert digests[0] == digests[1] != digests[2]


def test_a_prepared_table_depends_on_its_own_loader_alone():
    closure = code_digest.code_closure("clipfair.data.prepare", "clipfair.data.datasets.adult")
    assert [name for name in closure if name.startswith("clipfair.data.datasets.")] == [
        "clipfair.data.datasets.adult"
    ]
