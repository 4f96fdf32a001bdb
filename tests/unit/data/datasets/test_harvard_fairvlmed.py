"""The loader of Harvard-FairVLMed: its npz files and tables, and invalid ones."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest

from clipfair.data.datasets import harvard_fairvlmed
from clipfair.data.images import open_image
from clipfair.data.loading.checks import check_columns
from clipfair.data.prepare import prepare_dataset

# The number, its use, and the codes of race, gender, ethnicity, language and glaucoma.
PEOPLE = [
    (1, "training", 0, 0, 0, 0, 0),
    (2, "training", 2, 1, -1, -1, 1),
    (3, "validation", 1, 0, 1, 2, 1),
    (4, "validation", 1, 0, 1, -1, 1),
    (5, "test", 2, 1, 0, 1, 0),
    (6, "test", 2, 1, -1, 0, 0),
]
FOLDERS = {"training": "Training", "validation": "Validation", "test": "Test"}
NOTE = 'Seen, "urgently",\nby a doctor; {}'


def npz(number, codes, **change):
    race, gender, ethnicity, language, glaucoma = codes
    arrays = {
        "slo_fundus": np.full((6, 8), number, dtype=np.uint8),
        "md": -3.5,
        "tds": np.zeros(52),
        "age": 60.5 + number,
        "gender": gender,
        "race": race,
        "ethnicity": ethnicity,
        "language": language,
        "maritalstatus": -1,
        "glaucoma": glaucoma,
        "note": "whole note",
        "note_extra": "more",
    } | change
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name: value for name, value in arrays.items() if value is not None})
    return stream.getvalue()


def csv(columns, rows):
    def spell(cell):
        return '"' + str(cell).replace('"', '""') + '"'

    return "".join(",".join(map(spell, row)) + "\n" for row in [columns, *rows])


@pytest.fixture
def write(tree):
    """Write the tree; ``summary`` and ``notes`` replace the tables, other keywords one example's arrays."""

    def make(summary=None, notes=None, people=PEOPLE, **change):
        files = {
            f"{FOLDERS[use]}/data_{number:05d}.npz": npz(number, codes, **(change if number == 5 else {}))
            for number, use, *codes in people
        }
        columns = ("filename", "age", "gender", "race", "ethnicity", "language", "maritalstatus", "note")
        files["data_summary.csv"] = summary or csv(
            (*columns, "gpt4_summary", "glaucoma", "use"),
            [
                (
                    f"data_{n:05d}.npz",
                    61,
                    "male",
                    "white",
                    "unknown",
                    "english",
                    "single",
                    NOTE.format(n),
                    "",
                    "no",
                    u,
                )
                for n, u, *_ in people
            ],
        )
        files["gpt-4_summarized_notes.csv"] = notes or csv(
            ("filename", "use", "note"), [(f"data_{n:05d}.npz", u, f"Summary {n}.") for n, u, *_ in people]
        )
        return tree(files)

    return make


def test_harvard_fairvlmed(write, catalogue):
    folder = write()
    frame = harvard_fairvlmed.load(folder)
    check_columns(frame, catalogue["harvard-fairvlmed"])
    assert frame["key"].tolist() == [f"data_0000{n}" for n in range(1, 7)]
    assert frame["split"].tolist() == ["train", "train", "val", "val", "test", "test"]
    for name, place in {"race": 2, "gender": 3, "ethnicity": 4, "language": 5}.items():
        assert frame[name].cat.codes.tolist() == [person[place] for person in PEOPLE]
    assert frame["glaucoma"].tolist() == [0, 1, 1, 1, 0, 0]
    assert frame["age"].tolist() == [61.5, 62.5, 63.5, 64.5, 65.5, 66.5]
    assert frame["captions"].tolist() == [[f"Summary {n}."] for n in range(1, 7)]
    assert frame["note"][3] == NOTE.format(4)
    assert np.asarray(open_image(frame.iloc[4].to_dict(), folder=folder)).tolist() == [[[5] * 3] * 8] * 6


def test_unknown_attributes_are_used_in_training_only(write):
    frame = harvard_fairvlmed.load(write())
    assert frame["used"].tolist() == [True, True, True, False, True, False]
    assert frame["language"].isna().tolist() == [False, True, False, True, False, False]


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"race": None}, "race is not a file in the archive"),
        ({"race": 3}, "race is 3, which is unknown; known: -1, 0, 1, 2"),
        ({"gender": 2}, "gender is 2, which is unknown; known: -1, 0, 1"),
        ({"glaucoma": -1}, "glaucoma is -1, which is unknown; known: 0, 1"),
        ({"language": np.array([0, 1])}, "not a readable npz"),
        ({"race": np.array([{"a": 1}])}, "allow_pickle=False"),
        ({"age": "old"}, "could not convert string to float"),
        ({"race": "white"}, "race is 'white', which is unknown"),
        ({"slo_fundus": None}, "no item named 'slo_fundus.npy' in the archive"),
        (
            {"slo_fundus": np.zeros(48)},
            "slo_fundus of shape (48,) and type float64 is no image; expected numbers",
        ),
        ({"slo_fundus": np.zeros((3, 6, 8))}, "slo_fundus of shape (3, 6, 8) and type float64 is no image"),
        ({"slo_fundus": np.zeros((0, 8))}, "slo_fundus of shape (0, 8) and type float64 is no image"),
        ({"slo_fundus": np.full((6, 8), "x")}, "slo_fundus of shape (6, 8) and type <U1 is no image"),
        ({"slo_fundus": np.array([[{"a": 1}]])}, "allow_pickle=False"),
    ],
)
def test_broken_npz(write, error_of, change, fragment):
    message = error_of(harvard_fairvlmed.load, write(**change))
    assert "Test/data_00005.npz: " in message
    assert fragment in message


class Payload:
    def __reduce__(self):
        return (print, ("run",))


def test_nothing_is_unpickled(write, error_of, capsys):
    folder = write()
    (folder / "Test/data_00005.npz").write_bytes(pickle.dumps(Payload()))
    message = error_of(harvard_fairvlmed.load, folder)
    assert "Test/data_00005.npz: not a readable npz" in message
    assert "unsafely" not in message  # numpy's advice is unsafe
    error_of(harvard_fairvlmed.load, write(race=np.array([Payload()], dtype=object)))
    assert capsys.readouterr().out == ""


def test_a_damaged_npz(write, error_of):
    folder = write()
    path = folder / "Training/data_00002.npz"
    whole = path.read_bytes()
    for broken in (b"", whole[:200], whole[:-10], b"<html>"):
        path.write_bytes(broken)
        assert "Training/data_00002.npz: not a readable npz" in error_of(harvard_fairvlmed.load, folder)


NAMES = ("filename", "note", "use")


@pytest.mark.parametrize(
    ("rows", "fragment"),
    [
        (
            [("data_00001.npz", "", "testing")],
            "line 2: column 'use': 'testing' is unknown; known: training, valid",
        ),
        (
            [("data_1.npz", "", "test")],
            "line 2: column 'filename': 'data_1.npz' is not data_<five digits>.npz",
        ),
        ([("../data_00001.npz", "", "test")], "is not data_<five digits>.npz"),
        ([("data_00001.npz", "", "test")], "'Test/data_00001.npz' is not there"),
        (
            [("data_00001.npz", "", "training")] * 2,
            "line 3: column 'filename': 'data_00001.npz' is there a sec",
        ),
    ],
)
def test_broken_summary(write, error_of, rows, fragment):
    message = error_of(harvard_fairvlmed.load, write(summary=csv(NAMES, rows)))
    assert "data_summary.csv: " in message
    assert fragment in message


def test_tables_without_their_columns(write, error_of):
    message = error_of(harvard_fairvlmed.load, write(summary=csv(("filename", "use"), [("x", "test")])))
    assert "data_summary.csv: no column 'note'" in message
    message = error_of(harvard_fairvlmed.load, write(notes=csv(("filename", "note"), [("x", "y")])))
    assert "gpt-4_summarized_notes.csv: 2 columns, expected at least 3" in message
    message = error_of(harvard_fairvlmed.load, write(notes=csv(NAMES, [("data_00001.npz", "", "y")])))
    assert (
        "data_summary.csv: line 5: column 'filename': 'data_00002.npz' has no note in gpt-4_summ" in message
    )


def test_npz_that_the_summary_does_not_name(write, catalogue, error_of, tmp_path):
    folder = write()
    (folder / "Test/data_00009.npz").write_bytes(npz(9, PEOPLE[0][2:]))
    frame = harvard_fairvlmed.load(folder)
    assert frame.attrs["left_out"] == {harvard_fairvlmed.UNNAMED: ["Test/data_00009.npz"]}
    dataset = catalogue["harvard-fairvlmed"]
    message = error_of(prepare_dataset, dataset, folder, tmp_path / "t", subset=True)
    assert (
        "1 left out (14.29%) for an npz that data_summary.csv does not name: Test/data_00009.npz" in message
    )
    assert not (tmp_path / "t").exists()


def test_codes_are_the_catalogues(catalogue, write):
    dataset = catalogue["harvard-fairvlmed"]
    frame = harvard_fairvlmed.load(write())
    for attribute, values in dataset.attributes.items():
        assert tuple(frame[attribute].cat.categories) == values


def test_the_published_groups_add_up(catalogue):
    expected = catalogue["harvard-fairvlmed"].expected
    rows = {tuple(count.where.items()): count.rows for count in expected.counts}
    used = rows[("split", "test"), ("used", True)]
    for attribute in catalogue["harvard-fairvlmed"].attributes:
        groups = [n for where, n in rows.items() if len(where) == 3 and where[2][0] == attribute]
        assert sum(groups) == used


def test_the_table_is_unchanged_by_parquet(write, catalogue, tmp_path):
    folder = write()
    prepare_dataset(catalogue["harvard-fairvlmed"], folder, tmp_path / "t.parquet", subset=True)
    kept = pd.read_parquet(tmp_path / "t.parquet")
    expected = harvard_fairvlmed.load(folder)
    pd.testing.assert_frame_equal(kept.drop(columns="captions"), expected.drop(columns="captions"))
    assert [list(captions) for captions in kept["captions"]] == expected["captions"].tolist()
