import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from clipfair.core import code_digest as module
from clipfair.core.code_digest import code_closure, code_digest
from tests.structure.source import MODULES, SOURCE

# --- a small package in place of ours ---

PACKAGE = {
    "__init__.py": "",
    "core.py": '''
        """Arithmetic."""
        from clipfair.errors import UserError


        def half(x):
            """Half of x."""
            if x < 0:
                raise UserError(f"{x}: negative; give a number of at least 0")
            print("halving", x)
            assert x < 10, "too large"
            return x / 2
    ''',
    "errors.py": "class UserError(Exception):\n    pass\n",
    "phase/__init__.py": "",
    "phase/first.py": "from clipfair.core import half\n\n\ndef quarter(x):\n    return half(half(x))\n",
    "phase/second.py": "def late(x):\n    from clipfair.phase import first\n    return first.quarter(x)\n",
    "phase/other.py": "def other(x):\n    return f'{x:.2f} of {x!r}'\n",
}


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """A function that replaces a text in a file of the small package."""
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    use_source(tmp_path, monkeypatch)

    def edit(name, old, new):
        path = tmp_path / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        module._read_module.cache_clear()

    return edit


@pytest.fixture(autouse=True)
def empty_cache():
    module._read_module.cache_clear()
    yield
    module._read_module.cache_clear()


def use_source(folder, monkeypatch):
    monkeypatch.setattr(module, "SOURCE", folder)
    module._read_module.cache_clear()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x / 2", "# a comment\n\n    return (x / 2)"),
        ("Half of x.", "One half of x."),
        ("negative; give a number of at least 0", "at least 0 is needed"),
        ('f"{x}: negative; give a number of at least 0"', '"negative: {}".format(x)'),
        ('print("halving", x)', 'print("one half of", x, flush=True)'),
        ('    print("halving", x)\n', ""),
        (', "too large"', ""),
    ],
)
def test_what_only_people_read_does_not_count(edit, old, new):
    before = code_digest("clipfair.phase.second")
    edit("core.py", old, new)
    assert code_digest("clipfair.phase.second") == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("core.py", "x / 2", "x * 0.5"),
        ("core.py", "x < 0", "x <= 0"),
        ("core.py", "x < 10", "x < 11"),
        ("core.py", "raise UserError(", "raise ValueError("),
        ("phase/other.py", ".2f", ".3f"),
        ("phase/other.py", "!r", "!s"),
        ("phase/other.py", " of ", " in "),
    ],
)
def test_logic_counts(edit, name, old, new):
    roots = ("clipfair.phase.second", "clipfair.phase.other")
    before = code_digest(*roots)
    edit(name, old, new)
    assert code_digest(*roots) != before


# Statements before and after an edit of a text. What the digest ignores is in its docstring.
IGNORED_TEXTS = [
    ('raise UserError("a" + x)', 'raise UserError("b {}".format(x))'),
    ('raise UserError(message_of(x), remedy="a")', "raise UserError()"),
    ('raise ValueError("a")', 'raise ValueError(f"{x!r}: b" " and c")'),
    ('raise OSError(2, "a")', 'raise OSError(2, "b")'),
    ('assert x, "a"', 'assert x, "b" + x'),
    ('print("a")', 'print("b", x, file=sys.stderr)'),
    ('warnings.warn("a")', 'warnings.warn("b" + x, RuntimeWarning)'),
    ('logging.info("a")', 'logging.warning("b" + x)'),
    ('logger.info("a")', 'logger.warning("b" + x)'),
    ('y = progress(x, unit="a")', 'y = progress(x, unit="b", total=3)'),
]
COUNTED_TEXTS = [
    ('raise ValueError("a" + x)', 'raise ValueError("b" + x)'),
    ('raise ValueError("a %s" % x)', 'raise ValueError("b %s" % x)'),
    ('raise ValueError("a {}".format(x))', 'raise ValueError("b {}".format(x))'),
    ('message = "a"\nraise ValueError(message)', 'message = "b"\nraise ValueError(message)'),
    ('message = "a"\nraise UserError(message)', 'message = "b"\nraise UserError(message)'),
    ('def message_of(x):\n    return f"a {x}"', 'def message_of(x):\n    return f"b {x}"'),
    ("raise OSError(2)", "raise OSError(3)"),
    ('raise ImportError("a", name="x")', 'raise ImportError("a", name="y")'),
    ('raise SystemExit("a")', 'raise SystemExit("b")'),
    ('raise Exception("a")', 'raise Exception("b")'),
    ('raise pickle.UnpicklingError("a")', 'raise pickle.UnpicklingError("b")'),
    ('sys.exit("a")', 'sys.exit("b")'),
    ('sys.stderr.write("a")', 'sys.stderr.write("b")'),
    ('log.warning("a")', 'log.warning("b")'),
    ('self.logger.warning("a")', 'self.logger.warning("b")'),
    ('y = tqdm(x, unit="a")', 'y = tqdm(x, unit="b")'),
    ('y = progress(x, "a")', 'y = progress(x, "b")'),
]


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [*((*pair, False) for pair in IGNORED_TEXTS), *((*pair, True) for pair in COUNTED_TEXTS)],
)
def test_which_texts_of_messages_count(edit, old, new, counts):
    edit("phase/other.py", PACKAGE["phase/other.py"], f"{old}\n")
    before = code_digest("clipfair.phase.other")
    edit("phase/other.py", old, new)
    assert (code_digest("clipfair.phase.other") != before) == counts


def test_imports_are_followed_also_inside_functions(edit):
    before = {name: code_digest(f"clipfair.phase.{name}") for name in ("first", "second", "other")}
    edit("core.py", "x / 2", "x * 0.5")
    after = {name: code_digest(f"clipfair.phase.{name}") for name in before}
    assert {name for name in before if before[name] != after[name]} == {"first", "second"}
    closure = ["core", "errors", "phase", "phase.first", "phase.second"]
    assert code_closure("clipfair.phase.second") == [f"clipfair.{name}" for name in closure]


def test_a_second_root_counts(edit):
    before = code_digest("clipfair.phase.first", "clipfair.phase.other")
    edit("phase/other.py", ".2f", ".3f")
    assert code_digest("clipfair.phase.first", "clipfair.phase.other") != before


def test_a_module_that_does_not_exist_is_an_error(edit):
    with pytest.raises(FileNotFoundError):
        code_digest("clipfair.phase.third")


# --- edits of all our modules, in a temporary copy ---

TRAINING = ("clipfair.train.run", "clipfair.train.kinds.pretrain", "clipfair.train.kinds.finetune")
EDITS = {
    "comments": (r"^def ", "# Changed.\ndef "),
    "docstrings": (r'^( *)"""(?=[A-Z])', r'\1"""Changed. '),
    "texts of errors": (r'(raise UserError\(\s*f?")', r"\1Changed: "),
    "texts of builtin errors": (r'(raise ValueError\(\s*f?")', r"\1Changed: "),
    "texts of warnings": (r'(\bwarn\(f?")', r"\1Changed: "),
    "printed texts": (r'(\bprint\(f?")', r"\1Changed: "),
    "texts of progress bars": (r'(\bprogress\(.*unit=")', r"\1changed "),
    "layout": (r"^(import|from) ", r"\n\1 "),
}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of our package, which the digests are taken of."""
    folder = Path(shutil.copytree(SOURCE / "clipfair", tmp_path / "clipfair"))
    use_source(folder, monkeypatch)
    return folder


@pytest.mark.parametrize(("pattern", "replacement"), EDITS.values(), ids=EDITS)
def test_edits_of_texts_in_every_module_do_not_change_the_digest_of_training(copy, pattern, replacement):
    before = code_digest(*TRAINING)
    edited = 0
    for name in code_closure(*TRAINING):
        path = module._module_file(name)
        text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        path.write_text(text, encoding="utf-8")
        edited += count
    assert edited > 0
    module._read_module.cache_clear()
    assert code_digest(*TRAINING) == before


def test_a_new_statement_in_any_module_changes_the_digest_of_training(copy):
    before = code_digest(*TRAINING)
    for name in code_closure(*TRAINING)[::10]:
        path = module._module_file(name)
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\nUNUSED = 1\n", encoding="utf-8")
        module._read_module.cache_clear()
        assert code_digest(*TRAINING) != before, name
        path.write_text(text, encoding="utf-8")
        module._read_module.cache_clear()
    assert code_digest(*TRAINING) == before


def test_modules_that_are_not_counted_exist():
    assert set(MODULES) >= module.UNCOUNTED


# --- versions of Python ---

SUPPORTED = ("3.11", "3.12", "3.13")
DIGESTS = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("code_digest", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps({name: module._read_module(name)[0] for name in sys.argv[2:]}))
"""


def find_python(version):
    """An interpreter of this minor version that starts: on PATH, of pyenv or of uv; None if there is none."""
    places = (
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python"),
        *Path.home().glob(f".local/share/uv/python/cpython-{version}.*/bin/python"),
    )
    for python in filter(None, (sys.executable, shutil.which(f"python{version}"), *places)):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if run.stdout.strip() == version:
            return python
    return None


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_supported_version_of_python_gives_the_same_digests(version):
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    command = [python, "-c", DIGESTS, module.__file__, *MODULES]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {name: module._read_module(name)[0] for name in MODULES}
