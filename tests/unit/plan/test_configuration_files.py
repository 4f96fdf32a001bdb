"""Files are merged as Snakemake does it; each error names its file."""

import copy

import pytest
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from clipfair.core.paths import ROOT
from clipfair.plan.configuration_files import (
    ABSENT,
    COMMAND_LINE,
    check_files,
    configuration_files,
    file_of,
    merge,
    read_configuration,
    read_file,
)


@pytest.fixture
def files(tmp_path):
    """Returns a function that writes the texts of some files and returns their paths."""

    def write(*texts):
        paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

    return write


def test_merging_is_that_of_snakemake():
    expected: dict = {}
    for file in configuration_files(ROOT):
        update_config(expected, load_configfile(file))
    found = read_configuration(configuration_files(ROOT))
    assert found == expected
    overlay = {
        "grids": {"table5": {"seeds": [1]}, "mine": {"tasks": ["adult"]}},
        "study": "lab",
        "tasks": None,
    }
    both = copy.deepcopy(found)
    update_config(expected, copy.deepcopy(overlay))
    assert merge(both, overlay) == expected


def test_config_yaml_takes_precedence_over_the_catalogues():
    assert configuration_files(ROOT)[-1] == ROOT / "config.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: [\n", "0.yaml, line 2, column 1: not valid YAML"),
        ("study: a\nmirror: b: c\n", "0.yaml, line 2, column 10: not valid YAML"),
        (
            "a: 1\nb: {c: 1,\n  c: 2}\n",
            "0.yaml, line 3, column 3: not valid YAML: the key 'c' is there twice",
        ),
        (
            "a: &a {b: [*a]}\n",
            "0.yaml, line 1, column 4: not valid YAML: found unconstructable recursive node",
        ),
        ("- a\n", "0.yaml: expected a mapping of keys and values, found list"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_with_its_place(files, error_of, text, message):
    assert message in error_of(read_file, files(text)[0])


def test_a_file_that_is_not_there(error_of, tmp_path):
    assert "no.yaml: cannot be read" in error_of(read_file, tmp_path / "no.yaml")


def test_an_empty_file_is_one_line(files, error_of):
    given = files("a: 1\n", "# nothing yet\n")
    assert error_of(check_files, given) == f"{given[1]}: empty; expected a mapping of keys and values"


def test_the_file_of_a_value_is_the_last_that_sets_it(files):
    first, second = files("a: {b: 1, c: [1, 2]}\n", "a: {b: 2}\nd: {e: 1}\n")
    both = [first, second]
    assert file_of(("a", "b"), 2, both) == str(second)
    assert file_of(("a", "c", 0), 1, both) == str(first)
    assert file_of(("a",), {"b": 2, "c": [1, 2]}, both) == str(second)
    # An entry has this by `like`.
    assert file_of(("d", "inherited"), ABSENT, both) == str(second)
    assert file_of(("a", "b"), 3, both) == COMMAND_LINE
    assert file_of(("nowhere",), 3, both) == COMMAND_LINE
    # A new key of an entry that a file has.
    assert file_of(("a", "new"), 3, both) == COMMAND_LINE


def test_a_value_that_is_not_a_number_is_found_in_its_file(files):
    [file] = files("lams: [.nan]\n")
    assert file_of(("lams", 0), float("nan"), [file]) == str(file)


def test_a_file_in_another_encoding_is_one_line(tmp_path, error_of):
    file = tmp_path / "mine.yaml"
    file.write_bytes("study: é\n".encode("latin-1"))
    assert error_of(read_file, file) == f"{file}: not UTF-8 (byte 7); save it in that encoding"
