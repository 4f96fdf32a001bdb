import sys

import pytest

from clipfair.core.errors import UserError
from clipfair.core.functions import function_problem, load_function


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Returns a function that writes an importable module of the test and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    name = "module_of_a_user"

    def write(source):
        (tmp_path / f"{name}.py").write_text(source)
        return name

    yield write
    sys.modules.pop(name, None)


def test_a_function_of_an_importable_module(module):
    name = module("def double(x):\n    return 2 * x\n")
    assert load_function(f"{name}:double", where="methods.yaml: loss")(4) == 8


def test_a_function_of_a_file_below_the_package_by_its_path():
    from clipfair.core.io import read_json

    assert load_function("core.io:read_json", where="x") is read_json
    assert load_function("clipfair.core.io:read_json", where="x") is read_json


def test_what_does_not_exist_is_one_line(module):
    with pytest.raises(
        UserError, match=r"^methods\.yaml: loss: no module 'nowhere'; expected module:function"
    ):
        load_function("nowhere:f", where="methods.yaml: loss")
    name = module("x = 1\n")
    with pytest.raises(
        UserError, match=rf"^where: '{name}:x': .*module_of_a_user\.py defines no function 'x'$"
    ):
        load_function(f"{name}:x", where="where")


def test_a_missing_import_of_the_module_is_not_hidden(module):
    name = module("import another_module_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="another_module_that_is_missing"):
        load_function(f"{name}:f", where="where")


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    raise SystemExit\n",
        "from os.path import join as f\n",
        "f = lambda x: x\n",
        "from os.path import *\n",
    ],
)
def test_a_function_that_may_exist_is_no_problem(module, source):
    assert function_problem(f"{module(source)}:f") is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise SystemExit\n", "module_of_a_user.py defines no function 'f'"),
        ("x = 1\ndef f(:\n", "module_of_a_user.py, line 2: not valid Python"),
    ],
)
def test_a_problem_is_found_without_importing_the_module(module, source, problem):
    assert problem in function_problem(f"{module(source)}:f")
