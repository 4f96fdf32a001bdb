import textwrap

import pytest

from clipfair.core import provenance
from clipfair.core.io import read_json, sha256_of
from clipfair.core.provenance import code_digest, weights_digest, write_spec

MODULES = {
    "__init__.py": "",
    "ground.py": '''
        """Ground floor."""

        def half(x):
            """Half of x."""
            return x / 2
    ''',
    "phase/__init__.py": "",
    "phase/first.py": "from clipfair.ground import half\n\n\ndef quarter(x):\n    return half(half(x))\n",
    "phase/second.py": "def late(x):\n    from clipfair.phase import first\n    return first.quarter(x)\n",
    "phase/apart.py": "def other(x):\n    return x + 1\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A little package in the place of ours; edits to it are seen."""
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def edit(name, old, new):
        path = tmp_path / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        provenance._read_module.cache_clear()

    provenance._read_module.cache_clear()
    yield edit
    provenance._read_module.cache_clear()


def test_comments_docstrings_and_layout_do_not_count(package):
    before = code_digest("clipfair.phase.second")
    package("ground.py", "return x / 2", "# halves it\n\n    return (x / 2)")
    package("ground.py", "Half of x.", "One half of x.")
    package("ground.py", "Ground floor.", "The ground floor.")
    assert code_digest("clipfair.phase.second") == before


def test_logic_counts_through_imports_also_late_ones(package):
    before = {name: code_digest(f"clipfair.phase.{name}") for name in ("first", "second", "apart")}
    package("ground.py", "x / 2", "x * 0.5")
    after = {name: code_digest(f"clipfair.phase.{name}") for name in before}
    assert {name for name in before if before[name] != after[name]} == {"first", "second"}


def test_a_module_named_besides_counts(package):
    before = code_digest("clipfair.phase.first", "clipfair.phase.apart")
    package("phase/apart.py", "x + 1", "x + 2")
    assert code_digest("clipfair.phase.first", "clipfair.phase.apart") != before
    assert code_digest("clipfair.phase.first") != before


def test_a_module_that_is_not_there_is_an_error(package):
    with pytest.raises(FileNotFoundError):
        code_digest("clipfair.phase.third")


def test_spec_says_what_made_it(tmp_path):
    table = tmp_path / "table.parquet"
    table.write_bytes(b"rows")
    write_spec(
        tmp_path / "spec.json",
        made_by="evaluate_mitigation",
        code="abc",
        settings={"seeds": [0]},
        inputs={"table": str(table)},
    )
    spec = read_json(tmp_path / "spec.json")
    assert spec["settings"] == {"seeds": [0]}
    assert spec["inputs"]["table"]["sha256"] == sha256_of(table)
    assert set(spec["environment"]["packages"]) == set(provenance.PACKAGES)


def test_weights_are_known_by_their_bytes_or_by_what_they_are_drawn_from(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    assert weights_digest({"kind": "small"}, path, 3) == sha256_of(path)
    random = weights_digest({"kind": "small"}, None, 3)
    assert random == weights_digest({"kind": "small"}, None, 3)
    assert random != weights_digest({"kind": "small"}, None, 4)
    assert random != weights_digest({"kind": "vit"}, None, 3)
