"""Loaders of Adult and credit default: from published files to checked frames, and invalid files."""

import os
import re
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfair.core.catalogue import Count, Expected, load_catalogue
from clipfair.core.errors import UserError
from clipfair.data.datasets import adult, credit_default
from clipfair.data.loading import columns
from clipfair.data.loading.checks import REQUIRED_COLUMNS, check_columns, check_expected
from clipfair.data.prepare import prepare_dataset

ROOT = Path(__file__).parents[4]
MIRROR = os.environ.get("CLIPFAIR_MIRROR")
needs_mirror = pytest.mark.skipif(MIRROR is None, reason="CLIPFAIR_MIRROR names no folder of real data")

DATA = [
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0,"
    " 40, United-States, <=50K",
    "50, ?, 83311, Some-college, 10, Married-civ-spouse, ?, Wife, Black, Female, 0, 0, 13, ?, >50K",
]
TEST = [
    "25, Private, 226802, 11th, 7, Never-married, Machine-op-inspct, Own-child, Other, Male, 0, 1902, 40,"
    " Outlying-US(Guam-USVI-etc), <=50K.",
    "38, Private, 89814, HS-grad, 9, Widowed, Farming-fishing, Unmarried, Amer-Indian-Eskimo, Female, 0, 0,"
    " 50, Trinadad&Tobago, >50K.",
]

CLIENTS = [
    [1, 20000, 2, 2, 1, 24, 2, 2, -1, -1, -2, -2, 3913, 3102, 689, 0, 0, 0, 0, 689, 0, 0, 0, 0, 1],
    [
        2,
        120000,
        1,
        0,
        0,
        26,
        -1,
        2,
        0,
        0,
        0,
        2,
        -2682,
        1725,
        2682,
        3272,
        3455,
        3261,
        0,
        1000,
        0,
        0,
        0,
        2000,
        0,
    ],
    [
        3,
        90000,
        2,
        6,
        3,
        34,
        0,
        0,
        0,
        0,
        0,
        0,
        29239,
        14027,
        13559,
        14331,
        14948,
        15549,
        1518,
        1500,
        1,
        2,
        3,
        4,
        0,
    ],
]
MONTHS = range(1, 7)
NAMES = [
    *("ID", "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE"),
    *("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"),
    *(f"BILL_AMT{month}" for month in MONTHS),
    *(f"PAY_AMT{month}" for month in MONTHS),
]


def xls(rows):
    """A worksheet in Excel's oldest binary format (BIFF2), with numbers as doubles, as in UCI's file."""
    records = [struct.pack("<HHHH", 0x0009, 4, 2, 0x0010), struct.pack("<HHH", 0x0042, 2, 1252)]
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            place = struct.pack("<HH3x", row, column)
            if isinstance(cell, str):
                text = cell.encode("cp1252")
                body = place + struct.pack("<B", len(text)) + text
                records.append(struct.pack("<HH", 0x0004, len(body)) + body)
            else:
                body = place + struct.pack("<d", cell)
                records.append(struct.pack("<HH", 0x0003, len(body)) + body)
    return b"".join(records) + struct.pack("<HH", 0x000A, 0)


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(ROOT / "resources/datasets.yaml")


@pytest.fixture
def write_adult(tmp_path):
    def write(data=DATA, test=TEST):
        (tmp_path / "adult.data").write_bytes("".join(f"{line}\n" for line in [*data, ""]).encode())
        lines = ["|1x3 Cross validator", *test, ""]
        (tmp_path / "adult.test").write_bytes("".join(f"{line}\n" for line in lines).encode())
        return tmp_path

    return write


@pytest.fixture
def write_csv(tmp_path):
    def write(rows=CLIENTS, names=(*NAMES, "default.payment.next.month")):
        lines = [",".join(map(str, row)) for row in [names, *rows]]
        (tmp_path / credit_default.CSV).write_bytes("".join(f"{line}\r\n" for line in lines).encode())
        return tmp_path

    return write


@pytest.fixture
def write_xls(tmp_path):
    def write(rows=CLIENTS, names=(*NAMES, "default payment next month")):
        title = ["", *(f"X{number}" for number in range(1, 24)), "Y"]
        (tmp_path / credit_default.XLS).write_bytes(xls([title, list(names), *rows]))
        return tmp_path

    return write


def error_of(function, *args, **kwargs):
    with pytest.raises(UserError) as error:
        function(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def changed(rows, row, column, value):
    copy = [list(cells) for cells in rows]
    copy[row][column] = value
    return copy


# --- Adult -------------------------------------------------------------------------------------------


def test_adult(write_adult):
    frame = adult.load(write_adult())
    assert list(frame.columns) == [*adult.COLUMNS, "split"]
    assert frame["sex"].tolist() == ["male", "female", "male", "female"]
    assert frame["race"].tolist() == ["White", "Black", "Other", "Amer-Indian-Eskimo"]
    assert frame["income"].tolist() == [0, 1, 0, 1]
    assert frame["split"].tolist() == ["train", "train", "test", "test"]
    assert frame["capital-loss"].tolist() == [0, 0, 1902, 0]
    assert frame.loc[1, ["workclass", "occupation", "native-country"]].tolist() == ["?", "?", "?"]


def test_adult_has_numbers_and_categories_only(write_adult):
    types = adult.load(write_adult()).dtypes
    numbers = {name for name, kind in types.items() if kind == "int64"}
    assert numbers == {*adult.NUMBERS, "income"}
    assert all(isinstance(types[name], pd.CategoricalDtype) for name in set(types.index) - numbers)


def test_categories_do_not_depend_on_the_rows(write_adult):
    whole = adult.load(write_adult()).dtypes
    part = adult.load(write_adult(DATA[:1], TEST[:1])).dtypes
    assert whole.equals(part)


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        (
            DATA[0].replace("White", "Purple"),
            r"adult\.data: line 2: column 'race': 'Purple' is unknown; known: .*Other",
        ),
        (DATA[0].replace("Male", "male"), r"line 2: column 'sex': 'male' is unknown; known: Female, Male"),
        (DATA[0].replace("<=50K", "50K"), r"line 2: column 'income': '50K' is unknown"),
        (DATA[0].replace("39", "?"), r"line 2: column 'age': '\?' is not a whole number"),
        (DATA[0].replace("39", "39.5"), r"line 2: column 'age': '39.5' is not a whole number"),
        (DATA[0].replace("39", ""), r"line 2: column 'age': '' is not a whole number"),
        (DATA[0].replace("39", "inf"), r"line 2: column 'age': 'inf' is not a whole number"),
        (DATA[0].replace("39", "1e300"), r"line 2: column 'age': '1e300' is not a whole number"),
        (DATA[0].rsplit(",", 1)[0], r"line 2: 14 fields, expected 15"),
        (DATA[0] + ", more", r"line 2: 16 fields, expected 15"),
        (DATA[0][:40], r"line 2: \d fields, expected 15"),
        ("\0" * 20, r"adult\.data: "),
    ],
)
def test_broken_line_is_named(write_adult, line, fragment):
    assert re.search(fragment, error_of(adult.load, write_adult([DATA[1], line])))


def test_lines_are_counted_with_comments_and_blank_lines(write_adult):
    folder = write_adult(test=["", TEST[0], "", TEST[1].replace("Female", "Unknown")])
    assert "adult.test: line 5: column 'sex'" in error_of(adult.load, folder)


@pytest.mark.parametrize("name", ["adult.data", "adult.test"])
def test_empty_and_missing_files(write_adult, name):
    folder = write_adult()
    (folder / name).write_bytes(b"")
    assert f"{name}: the file is empty" in error_of(adult.load, folder)
    (folder / name).unlink()
    assert f"{name}: no such file" in error_of(adult.load, folder)


def test_a_file_that_is_not_text(write_adult):
    folder = write_adult()
    (folder / "adult.data").write_bytes(b"39, \xff\xfe")
    assert "not delimited text" in error_of(adult.load, folder)


# --- Default of credit card clients ------------------------------------------------------------------


def test_credit_default(write_csv):
    frame = credit_default.load(write_csv())
    assert list(frame.columns) == [*(name.lower() for name in NAMES[1:]), "default"]
    assert frame["sex"].tolist() == ["female", "male", "female"]
    assert frame["default"].tolist() == [1, 0, 0]
    assert frame["education"].tolist() == ["university", "undocumented-0", "undocumented-6"]
    assert frame["marriage"].tolist() == ["married", "undocumented-0", "others"]
    assert frame["bill_amt1"].tolist() == [3913, -2682, 29239]
    assert {name for name, kind in frame.dtypes.items() if kind != "int64"} == {
        "sex",
        "education",
        "marriage",
    }


def test_both_layouts_give_the_same_frame(write_csv, write_xls):
    from_csv = credit_default.load(write_csv())
    # The workbook is preferred to the csv.
    changed_sex = write_xls(changed(CLIENTS, 1, 2, 2))
    assert credit_default.load(changed_sex)["sex"].tolist() == ["female"] * 3
    pd.testing.assert_frame_equal(credit_default.load(write_xls()), from_csv)


def test_columns_in_another_order(write_csv):
    expected = credit_default.load(write_csv())
    names = [*NAMES, "default.payment.next.month"]
    turned = credit_default.load(write_csv([row[::-1] for row in CLIENTS], names[::-1]))
    pd.testing.assert_frame_equal(turned, expected)


@pytest.mark.parametrize("layout", ["csv", "xls"])
@pytest.mark.parametrize(
    ("row", "column", "value", "fragment"),
    [
        (1, 2, 3, "column 'SEX': '3' is unknown; known: 2, 1"),
        (1, 3, 7, "column 'EDUCATION': '7' is unknown"),
        (1, 4, "", "column 'MARRIAGE': '' is unknown"),
        (1, 24, 2, "column 'default.payment.next.month': '2' is unknown; known: 0, 1"),
        (1, 1, "lots", "column 'LIMIT_BAL': 'lots' is not a whole number"),
        (1, 5, 26.5, "column 'AGE': '26.5' is not a whole number"),
        (1, 0, 1, "column 'ID': '1' is there a second time"),
    ],
)
def test_broken_cell_is_named(write_csv, write_xls, layout, row, column, value, fragment):
    write = {"csv": write_csv, "xls": write_xls}[layout]
    message = error_of(credit_default.load, write(changed(CLIENTS, row, column, value)))
    # The second client is below a header, and in the workbook below a title row, too.
    line = {"csv": 3, "xls": 4}[layout]
    if layout == "xls":
        fragment = fragment.replace("default.payment.next.month", "default payment next month")
    assert f"line {line}: {fragment}" in message


@pytest.mark.parametrize("layout", ["csv", "xls"])
def test_renamed_column_is_named(write_csv, write_xls, layout):
    write, label = {
        "csv": (write_csv, "default.payment.next.month"),
        "xls": (write_xls, "default payment next month"),
    }[layout]
    message = error_of(credit_default.load, write(names=[*NAMES[:2], "GENDER", *NAMES[3:], label]))
    assert "no column 'SEX' but unknown column 'GENDER'" in message


def test_column_that_is_there_twice(write_csv):
    rows = [[*row, 0] for row in CLIENTS]
    message = error_of(credit_default.load, write_csv(rows, [*NAMES, "default.payment.next.month", "SEX"]))
    assert "column 'SEX' occurs twice" in message


def test_row_with_too_few_fields(write_csv):
    assert "line 3: 24 fields, expected 25" in error_of(
        credit_default.load, write_csv([CLIENTS[0], CLIENTS[1][:-1], CLIENTS[2]])
    )


def test_credit_without_rows(write_csv, write_xls, tmp_path):
    assert "neither" in error_of(credit_default.load, tmp_path)
    assert "a header and no rows" in error_of(credit_default.load, write_csv([]))
    assert "a header and no rows" in error_of(credit_default.load, write_xls([]))


@pytest.mark.parametrize(
    "content", [b"", b"<html>please log in</html>", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(900)]
)
def test_an_invalid_workbook(tmp_path, content):
    (tmp_path / credit_default.XLS).write_bytes(content)
    message = error_of(credit_default.load, tmp_path)
    assert credit_default.XLS in message
    assert "replace it with the published file" in message


# --- checks ------------------------------------------------------------------------------------------


@given(values=st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1, max_size=20))
@settings(deadline=None)
def test_whole_numbers_survive(values):
    frame = pd.DataFrame({"x": [str(value) for value in values]})
    assert columns.numbers(frame, ["x"], path="t.csv")["x"].tolist() == values


def number_or_message(text):
    frame = pd.DataFrame({"x": ["1", text]}, dtype=str)
    try:
        return columns.numbers(frame, ["x"], path="t.csv")["x"].iloc[1]
    except UserError as error:
        return str(error)


@given(text=st.text(st.sampled_from("0123456789.eE+-_ xnaif\u0663"), max_size=6) | st.text(max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_cell_is_a_number_or_an_error_that_shows_it(text):
    outcome = number_or_message(text)
    assert repr(text) in outcome if isinstance(outcome, str) else outcome == float(text)


def test_expected_counts():
    frame = pd.DataFrame({"sex": ["male", "male", "female"], "income": [0, 1, 1]})
    right = Expected(rows=3, counts=(Count({"sex": "male"}, 2), Count({"sex": "female", "income": 0}, 0)))
    check_expected(frame, right, name="adult")
    assert "adult: 3 rows, expected 4; not the whole dataset" in error_of(
        check_expected, frame, replace(right, rows=4), name="adult"
    )
    wrong = replace(right, counts=(Count({"sex": "male", "income": 1}, 2),))
    message = error_of(check_expected, frame, wrong, name="adult")
    assert "adult: 1 rows with sex = male, income = 1, expected 2" in message
    assert "list adult under subset" in message


# --- prepared ----------------------------------------------------------------------------------------


def test_a_partial_copy_is_accepted_only_as_a_subset(catalogue, write_adult, tmp_path):
    folder, out = write_adult(), tmp_path / "out/table.parquet"
    assert "adult: 4 rows, expected 48,842" in error_of(prepare_dataset, catalogue["adult"], folder, out)
    assert not out.parent.exists()
    prepare_dataset(catalogue["adult"], folder, out, subset=True)
    pd.testing.assert_frame_equal(pd.read_parquet(out), adult.load(folder))


def test_an_invalid_table_writes_nothing(catalogue, write_adult, tmp_path):
    folder = write_adult([DATA[0][:30]])
    error_of(prepare_dataset, catalogue["adult"], folder, tmp_path / "out/table.parquet", subset=True)
    assert not (tmp_path / "out").exists()


def test_the_same_files_give_the_same_bytes(catalogue, write_csv, tmp_path):
    folder = write_csv()
    for name in ("first", "second"):
        prepare_dataset(catalogue["credit-default"], folder, tmp_path / name, subset=True)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_loaders_agree_with_the_catalogue(catalogue, write_adult, write_csv):
    frames = {"adult": adult.load(write_adult()), "credit-default": credit_default.load(write_csv())}
    assert {name for name, dataset in catalogue.items() if dataset.kind == "tabular"} == set(frames)
    for name, frame in frames.items():
        for attribute, values in catalogue[name].attributes.items():
            assert set(frame[attribute].cat.categories) == set(values)
        for label, values in catalogue[name].labels.items():
            assert set(frame[label]) == set(range(len(values)))


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"split": None}, "no column split, which a dataset of kind classification needs"),
        ({"image": None}, "no column image or image_bytes"),
        ({"label": ["dog", "cat"]}, "label as text or with empty cells"),
        ({"label": pd.Categorical(["dog", None])}, "label as text or with empty cells"),
        ({"split": ["train", "test"]}, "split as text"),
    ],
)
def test_a_loader_without_the_columns_of_its_kind(catalogue, error_of, change, fragment):
    columns = {
        "key": ["a", "b"],
        "split": pd.Categorical(["train", "test"]),
        "image": ["a.jpg", "b.jpg"],
        "label": pd.Categorical(["dog", "cat"]),
    } | change
    frame = pd.DataFrame({name: values for name, values in columns.items() if values is not None})
    message = error_of(check_columns, frame, catalogue["pets"])
    assert fragment in message
    assert message.startswith("pets: its loader clipfair.data.datasets.pets returns ")


def test_every_kind_of_the_catalogue_has_its_columns(catalogue):
    assert set(REQUIRED_COLUMNS) == {dataset.kind for dataset in catalogue.values()}


# --- the real files ----------------------------------------------------------------------------------


@needs_mirror
@pytest.mark.parametrize("name", ["adult", "credit-default"])
def test_the_real_table_has_the_published_counts(catalogue, name, tmp_path):
    folder = Path(MIRROR, name)
    if not folder.is_dir():
        pytest.skip(f"{name} is not in the mirror folder")
    prepare_dataset(catalogue[name], folder, tmp_path / "table.parquet")
    frame = pd.read_parquet(tmp_path / "table.parquet")
    assert len(frame) == catalogue[name].expected.rows
    assert not frame.isna().any(axis=None)


@needs_mirror
def test_the_original_workbook_equals_the_csv(tmp_path):
    part = Path(MIRROR, "credit-default/first10000_original_layout.xls")
    if not part.exists():
        pytest.skip("no workbook in the original layout in the mirror folder")
    shutil.copyfile(part, tmp_path / credit_default.XLS)
    whole = credit_default.load(Path(MIRROR, "credit-default"))
    pd.testing.assert_frame_equal(credit_default.load(tmp_path), whole[:10000])


@needs_mirror
def test_a_truncated_real_file_is_refused(catalogue, tmp_path):
    source = Path(MIRROR, "adult")
    if not source.is_dir():
        pytest.skip("adult is not in the mirror folder")
    shutil.copyfile(source / "adult.test", tmp_path / "adult.test")
    lines = (source / "adult.data").read_bytes().splitlines(keepends=True)
    (tmp_path / "adult.data").write_bytes(b"".join(lines[:-100]))
    assert re.search(
        "adult: 48,743 rows, expected 48,842",
        error_of(prepare_dataset, catalogue["adult"], tmp_path, tmp_path / "t"),
    )
    (tmp_path / "adult.data").write_bytes(b"".join(lines)[:1_000_000])
    assert re.search(
        r"adult\.data: line \d+: ", error_of(prepare_dataset, catalogue["adult"], tmp_path, tmp_path / "t")
    )
