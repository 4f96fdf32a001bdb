"""Loaders of FairFace, UTKFace and MIAP."""

import shutil

import numpy as np
import pandas as pd
import pytest

from clipfair.data.datasets import fairface, fairface_labels, miap, utkface
from clipfair.data.images import open_image
from clipfair.data.loading.checks import check_columns
from clipfair.data.prepare import prepare_dataset

HEADER = "file,age,gender,race,service_test"
LABELS = {
    "train": [
        "train/2.jpg,50-59,Male,East Asian,True",
        "train/10.jpg,more than 70,Female,Latino_Hispanic,False",
    ],
    "val": ["val/1.jpg,3-9,Female,Middle Eastern,False"],
}


@pytest.fixture
def write_fairface(tree, make_image):
    def write(train=LABELS["train"], val=LABELS["val"], images=("train/2.jpg", "train/10.jpg", "val/1.jpg")):
        files = {name: make_image(number) for number, name in enumerate(images)}
        for split, lines in {"train": train, "val": val}.items():
            files[f"fairface_label_{split}.csv"] = "\n".join([HEADER, *lines, ""])
        return tree(files)

    return write


# --- FairFace ----------------------------------------------------------------------------------------


def test_fairface(write_fairface):
    folder = write_fairface()
    frame = fairface.load(folder)
    assert frame["key"].tolist() == ["train/2", "train/10", "val/1"]
    assert frame["split"].tolist() == ["train", "train", "val"]
    assert frame["gender"].cat.codes.tolist() == [1, 0, 0]
    assert frame["race"].cat.codes.tolist() == [0, 6, 4]
    assert frame["age"].cat.codes.tolist() == [6, 8, 1]
    assert frame["service_test"].tolist() == [True, False, False]
    assert open_image(frame.iloc[1].to_dict(), folder=folder).size == (8, 6)


def test_caption_of_the_reproduction_lacks_its_space(write_fairface):
    assert fairface.load(write_fairface())["captions"][0] == [
        "Image of a person that is 50-59 years old, and their race is: East AsianThey are Male"
    ]


def test_the_reproduction_uses_the_first_images_by_number(write_fairface, monkeypatch):
    monkeypatch.setattr(fairface, "FAIRCLIP_IMAGES", 2)
    lines = [f"train/{n}.jpg,3-9,Male,White,True" for n in (10, 9, 100, 1)]
    folder = write_fairface(train=lines, images=[line.split(",")[0] for line in lines] + ["val/1.jpg"])
    frame = fairface.load(folder)
    assert frame["key"][frame["fairclip"]].tolist() == ["train/9", "train/1", "val/1"]


def test_labels_alone_are_the_same(write_fairface, catalogue):
    folder = write_fairface()
    whole = fairface.load(folder)
    check_columns(whole, catalogue["fairface"])
    shutil.rmtree(folder / "train")
    pd.testing.assert_frame_equal(fairface_labels.load(folder), whole.drop(columns="image"))


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("train/10.jpg,3-9,Male,White", "line 3: 4 fields, expected 5"),
        ("train/10.jpg,3-9,Man,White,True", "line 3: column 'gender': 'Man' is unknown; known: Female, Male"),
        ("train/10.jpg,3-9,Male,Asian,True", "column 'race': 'Asian' is unknown"),
        ("train/10.jpg,70+,Male,White,True", "column 'age': '70+' is unknown"),
        ("train/10.jpg,3-9,Male,White,yes", "column 'service_test': 'yes' is unknown"),
        ("train/2.jpg,3-9,Male,White,True", "column 'file': 'train/2.jpg' is there a second time"),
        ("train/3.jpg,3-9,Male,White,True", "'train/3.jpg' is not there (1 of 2 missing)"),
        ("val/1.jpg,3-9,Male,White,True", "'val/1.jpg' is not train/<number>.jpg"),
        ("train/../../2.jpg,3-9,Male,White,True", "is not train/<number>.jpg"),
    ],
)
def test_broken_fairface_label(write_fairface, error_of, line, fragment):
    message = error_of(fairface.load, write_fairface(train=[LABELS["train"][0], line]))
    assert "fairface_label_train.csv: line 3: " in message
    assert fragment in message


def test_fairface_without_its_files(write_fairface, error_of):
    folder = write_fairface()
    (folder / "fairface_label_val.csv").unlink()
    assert "fairface_label_val.csv: no such file" in error_of(fairface.load, folder)


# --- UTKFace -----------------------------------------------------------------------------------------

NAMES = ("100_1_0_20170112213500903.jpg.chip.jpg", "9_0_4_20170117000000000.jpg.chip.jpg")


@pytest.mark.parametrize("root", ["", "UTKFace/"])
def test_utkface(tree, make_image, root, catalogue):
    folder = tree({root + name: make_image() for name in NAMES} | {"manifest.json": "{}", "README": ""})
    frame = utkface.load(folder)
    check_columns(frame, catalogue["utkface"])
    assert frame["key"].tolist() == ["100_1_0_20170112213500903", "9_0_4_20170117000000000"]
    assert frame["age"].tolist() == [100, 9]
    assert frame["gender"].tolist() == ["female", "male"]
    assert frame["race"].tolist() == ["White", "Others"]
    assert frame.attrs == {}
    assert open_image(frame.iloc[0].to_dict(), folder=folder).size == (8, 6)


@pytest.mark.parametrize(
    "name",
    [
        "61_1_20170109142408075.jpg.chip.jpg",
        "61_2_0_20170109142408075.jpg.chip.jpg",
        "61_1_5_20170109142408075.jpg.chip.jpg",
        "x_1_0_20170109142408075.jpg.chip.jpg",
        "61_1_0_20170109142408075.jpg",
    ],
)
def test_a_name_without_labels_is_left_out_and_reported(tree, make_image, name):
    frame = utkface.load(tree({each: make_image() for each in (*NAMES, name)}))
    assert len(frame) == 2
    assert frame.attrs["left_out"] == {utkface.MALFORMED: [name]}


def test_utkface_without_images(tree, error_of):
    assert "no image is named <age>_" in error_of(utkface.load, tree({"61_1_2017.jpg.chip.jpg": b""}))


# --- MIAP --------------------------------------------------------------------------------------------


def box(image, gender, age="Middle", x=(0.1, 0.5), flags="0,1,0,0,-1"):
    """A line of the original file."""
    return f"{image},/m/01g317,1,{x[0]},{x[1]},0.25,1.000000,{flags},{gender},{age}"


F, M, U = "Predominantly Feminine", "Predominantly Masculine", "Unknown"
BOXES = {
    "train": [
        box("00aa", F, "Young"),
        box("00aa", F, "Older"),
        box("00bb", F),
        box("00bb", M),
        box("00cc", U),
        box("00dd", M),
        box("00dd", U),
    ],
    "val": [box("00ee", M)],
    "test": [box("00ff", F)],
}


@pytest.fixture
def write_miap(tree, make_image):
    def write(columns=miap.COLUMNS, images=("aa", "bb", "cc", "dd", "ee", "ff"), **boxes):
        files = {f"images/00{name}.jpg": make_image() for name in images}
        for split, lines in (BOXES | boxes).items():
            files[f"open_images_extended_miap_boxes_{split}.csv"] = "\n".join([",".join(columns), *lines, ""])
        return tree(files)

    return write


def test_miap(write_miap):
    folder = write_miap()
    frame = miap.load(folder).set_index("key")
    assert frame["gender"].astype(object).where(frame["gender"].notna(), None).to_dict() == {
        "00aa": F,
        "00bb": None,
        "00cc": U,
        "00dd": None,
        "00ee": M,
        "00ff": F,
    }
    assert frame.index[frame["used"]].tolist() == ["00aa", "00ee", "00ff"]
    assert frame.loc["00aa", ["age"]].isna().all()
    assert frame.loc["00bb", "age"] == "Middle"
    assert frame["split"].tolist() == ["train"] * 4 + ["val", "test"]
    assert frame["boxes"].map(len).tolist() == [2, 2, 1, 2, 1, 1]
    assert frame.loc["00ee", "boxes"] == [
        {
            "x_min": 0.1,
            "x_max": 0.5,
            "y_min": 0.25,
            "y_max": 1.0,
            "is_occluded": 0,
            "is_truncated": 1,
            "is_group_of": 0,
            "is_depiction_of": 0,
            "is_inside_of": -1,
            "gender": M,
            "age": "Middle",
        }
    ]


def test_miap_columns_in_another_order(write_miap, catalogue):
    expected = miap.load(write_miap())
    check_columns(expected, catalogue["miap"])
    turned = {split: [",".join(line.split(",")[::-1]) for line in lines] for split, lines in BOXES.items()}
    pd.testing.assert_frame_equal(miap.load(write_miap(miap.COLUMNS[::-1], **turned)), expected)


def test_boxes_are_unchanged_by_parquet(write_miap, catalogue, tmp_path):
    folder = write_miap()
    prepare_dataset(catalogue["miap"], folder, tmp_path / "t.parquet", subset=True)
    kept = pd.read_parquet(tmp_path / "t.parquet")
    assert [list(boxes) for boxes in kept["boxes"]] == miap.load(folder)["boxes"].tolist()


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        (box("00zz", F), "column 'ImageID': 'images/00zz.jpg' is not there (1 of 2 missing)"),
        (box("00ff", "Female"), "column 'GenderPresentation': 'Female' is unknown"),
        (box("00ff", F, "Old"), "column 'AgePresentation': 'Old' is unknown"),
        (box("00ff", F, x=("", 1)), "column 'XMin': '' is not a number from 0 to 1"),
        (box("00ff", F, x=(0, 17)), "column 'XMax': '17' is not a number from 0 to 1"),
        (box("00ff", F, flags="0,0,0,0,yes"), "column 'IsInsideOf': 'yes' is not a whole number"),
    ],
)
def test_broken_box(write_miap, error_of, line, fragment):
    message = error_of(miap.load, write_miap(test=[BOXES["test"][0], line]))
    assert "boxes_test.csv: line 3: " in message
    assert fragment in message


def test_an_image_of_two_splits(write_miap, catalogue, error_of, tmp_path):
    folder = write_miap(test=BOXES["val"])
    message = error_of(prepare_dataset, catalogue["miap"], folder, tmp_path / "t", subset=True)
    assert "miap: key '00ee' is there 2 times" in message


# --- with the catalogue ------------------------------------------------------------------------------


def test_groups_are_the_catalogues(catalogue, write_fairface, write_miap, tree, make_image):
    frames = {
        "utkface": utkface.load(tree({f"u/{name}": make_image() for name in NAMES})),
        "fairface": fairface.load(write_fairface()),
        "miap": miap.load(write_miap()),
    }
    for name, frame in frames.items():
        assert catalogue[name].attributes
        for attribute, values in catalogue[name].attributes.items():
            assert tuple(frame[attribute].cat.categories) == values
    assert catalogue["fairface-labels"].attributes == catalogue["fairface"].attributes


# --- the real files ----------------------------------------------------------------------------------


def test_real_fairface(real, catalogue, error_of, tmp_path):
    folder, out = real("fairface"), tmp_path / "t.parquet"
    message = error_of(prepare_dataset, catalogue["fairface"], folder, out)
    assert "expected 97,698; not the whole dataset" in message
    prepare_dataset(catalogue["fairface"], folder, out, subset=True)
    frame = pd.read_parquet(out)
    assert len(frame) == len(list(folder.glob("*/*.jpg")))
    assert not frame.isna().any(axis=None)
    assert (frame[frame["fairclip"]].groupby("split", observed=True).size() <= 10_000).all()
    assert open_image(frame.iloc[-1].to_dict(), folder=folder).size == (224, 224)


def test_real_fairface_labels(real, catalogue, tmp_path):
    prepare_dataset(catalogue["fairface-labels"], real("fairface-labels"), tmp_path / "t.parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    numbers = frame["key"].str.split("/").str[1].astype(int)
    # In the published files the first rows are the first by number.
    assert (numbers[frame["fairclip"]] <= 10_000).all()


def test_real_utkface(real, catalogue, tmp_path, capsys):
    folder = real("utkface")
    prepare_dataset(catalogue["utkface"], folder, tmp_path / "t.parquet", subset=True)
    frame = pd.read_parquet(tmp_path / "t.parquet")
    malformed = frame.attrs["left_out"][utkface.MALFORMED]
    assert len(frame) + len(malformed) == len(list(folder.rglob("*.jpg")))
    # The two names in the original without the field of race.
    assert {"61_1_20170109142408075.jpg.chip.jpg", "61_3_20170109150557335.jpg.chip.jpg"} <= set(malformed)
    assert f"clipfair: utkface: {len(malformed)} left out" in capsys.readouterr().err
    assert np.asarray(open_image(frame.iloc[0].to_dict(), folder=folder)).shape == (200, 200, 3)
