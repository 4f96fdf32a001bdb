"""Every other part: the loader of the real dataset reads it, and the planted shares are found."""

import hashlib
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from clipfair.core.errors import UserError
from clipfair.data.datasets import cifar100, coco, dtd, fairface, miap, utkface
from clipfair.data.embedded import generate
from clipfair.data.embedded.fundus_settings import FundusSettings
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.glyphs import OBJECTS
from clipfair.data.embedded.image_settings import (
    CaptionSettings,
    FaceSettings,
    NamedFaceSettings,
    ObjectSettings,
    SceneSettings,
    TextureSettings,
)
from clipfair.data.embedded.scenery import TEXTURES
from clipfair.data.embedded.web_settings import WebSettings
from clipfair.data.embedded.world import PART_SETTINGS

TINY = {
    "web": WebSettings(pairs=30, shard_size=20),
    "faces": FaceSettings(train=12, val=8),
    "named-faces": NamedFaceSettings(images=12),
    "scenes": SceneSettings(train=6, val=4, test=8),
    "objects": ObjectSettings(train_per_class=2, test_per_class=1),
    "textures": TextureSettings(per_class=6),
    "captions": CaptionSettings(val=3, test=7),
    "fundus": FundusSettings(train=12, validation=6, test=8),
}


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def pixels_of(folder, names):
    return np.stack([np.asarray(Image.open(folder / name), dtype=float).ravel() / 255 for name in names])


def test_every_part_is_tried_here():
    assert set(TINY) == set(PART_SETTINGS) == set(generate.GENERATORS)


@pytest.mark.parametrize("part", TINY)
def test_the_seed_decides_every_byte(part, tmp_path):
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        generate_world(part, TINY[part], seed, tmp_path / name)
    first, again, other = (digests(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert first != other


def test_faces_are_fairface(tmp_path):
    generate_world("faces", FaceSettings(train=400, val=200), 0, tmp_path / "faces")
    frame = fairface.load(tmp_path / "faces")
    assert frame["split"].value_counts().to_dict() == {"train": 400, "val": 200}
    assert frame["race"].nunique() == 7
    # A linear model of the pixels predicts perceived gender, by hair, beard and lips.
    pixels = pixels_of(tmp_path / "faces", frame["image"])
    train = (frame["split"] == "train").to_numpy()
    model = LogisticRegression(C=0.01, max_iter=500).fit(pixels[train], frame["gender"][train])
    assert model.score(pixels[~train], frame["gender"][~train]) > 0.85


def test_named_faces_are_utkface(tmp_path):
    generate_world("named-faces", NamedFaceSettings(images=200, malformed=2), 0, tmp_path / "faces")
    frame = utkface.load(tmp_path / "faces")
    assert len(frame) == 198
    assert sum(map(len, frame.attrs["left_out"].values())) == 2
    assert frame["gender"].nunique() == 2
    assert frame["race"].nunique() == 5


def test_scenes_are_miap(tmp_path):
    settings = SceneSettings(train=10, val=5, test=120)
    generate_world("scenes", settings, 0, tmp_path / "scenes")
    frame = miap.load(tmp_path / "scenes")
    assert frame["split"].value_counts().to_dict() == {"test": 120, "train": 10, "val": 5}
    people = frame["boxes"].str.len()
    assert set(people) == {1, 2}
    assert 0 < frame["used"].sum() < len(frame)
    for boxes in frame["boxes"]:
        for box in boxes:
            assert 0 <= box["x_min"] < box["x_max"] <= 1
            assert 0 <= box["y_min"] < box["y_max"] <= 1


def test_a_box_holds_its_person(tmp_path):
    """Without noise, all that differs from the empty background lies in the boxes."""
    settings = SceneSettings(train=40, val=1, test=1, noise=0, size=64)
    generate_world("scenes", settings, 0, tmp_path / "scenes")
    frame = miap.load(tmp_path / "scenes").query("split == 'train'")
    for row in frame.itertuples():
        image = np.asarray(Image.open(tmp_path / "scenes" / row.image), dtype=float)
        # A background is one colour along a line, so that what varies is a person.
        centres = (np.arange(64) + 0.5) / 64
        inside = np.zeros((64, 64), dtype=bool)
        for box in row.boxes:
            across = (centres > box["x_min"] - 0.03) & (centres < box["x_max"] + 0.03)
            down = (centres > box["y_min"] - 0.03) & (centres < box["y_max"] + 0.03)
            inside |= np.outer(down, across)
        for line, covered in zip(image, inside, strict=True):
            if not covered.all():
                assert np.ptp(line[~covered], axis=0).max() < 40  # what JPEG adds around an edge
        assert any(np.ptp(line, axis=0).max() > 40 for line in image)


def test_objects_are_cifar100(tmp_path):
    generate_world("objects", ObjectSettings(train_per_class=30, test_per_class=10), 0, tmp_path / "objects")
    frame = cifar100.load(tmp_path / "objects")
    counts = frame.groupby(["split", "label"], observed=True).size().unstack(0)
    assert sorted(counts.index) == sorted(OBJECTS)
    assert (counts["train"] == 30).all()
    assert (counts["test"] == 10).all()


def test_objects_pickle_as_python_2_wrote_them(tmp_path):
    generate_world("objects", ObjectSettings(train_per_class=1, test_per_class=1), 0, tmp_path / "objects")
    path = tmp_path / "objects/cifar-100-python/test"
    batches = [pickle.loads(path.read_bytes(), encoding=encoding) for encoding in ("bytes", "latin1")]
    assert {type(key) for key in batches[0]} == {bytes}
    assert {type(key) for key in batches[1]} == {str}
    np.testing.assert_array_equal(batches[0][b"data"], batches[1]["data"])
    assert batches[1]["filenames"][0].startswith(list(OBJECTS)[batches[1]["fine_labels"][0]])
    assert b"numpy.core.multiarray" in path.read_bytes()


def test_textures_are_dtd(tmp_path):
    generate_world("textures", TextureSettings(per_class=9), 0, tmp_path / "textures")
    frame = dtd.load(tmp_path / "textures")
    assert frame["split"].value_counts().to_dict() == {"train": 24, "val": 24, "test": 24}
    assert frame.groupby("split", observed=True)["label"].nunique().tolist() == [len(TEXTURES)] * 3
    for number in range(1, 11):
        lists = [
            (tmp_path / f"textures/dtd/labels/{s}{number}.txt").read_text() for s in ("train", "val", "test")
        ]
        assert len(set("".join(lists).split())) == 72
    assert len({(tmp_path / f"textures/dtd/labels/train{k}.txt").read_text() for k in range(1, 11)}) == 10


def test_captions_are_karpathys_coco(tmp_path):
    generate_world("captions", CaptionSettings(val=10, test=40), 0, tmp_path / "captions")
    frame = coco.load(tmp_path / "captions")
    assert len(frame) == 40
    assert (frame["captions"].str.len() == 5).all()
    described = json.loads((tmp_path / "captions/dataset_coco.json").read_text())["images"]
    sentences = [sentence for image in described for sentence in image["sentences"]]
    assert [sentence["sentid"] for sentence in sentences] == list(range(250))
    assert [sentid for image in described for sentid in image["sentids"]] == list(range(250))
    assert all(sentence["tokens"] == sentence["raw"].replace(",", "").split() for sentence in sentences)


def test_captions_of_one_image_do_not_contradict_each_other(tmp_path):
    generate_world("captions", CaptionSettings(val=1, test=200), 0, tmp_path / "captions")
    frame = coco.load(tmp_path / "captions")
    joined = frame["captions"].str.join(" | ")
    men = joined.str.contains(r"\b(?:man|gentleman|male)\b")
    women = joined.str.contains(r"\b(?:woman|lady|female)\b")
    assert not (men & women).any()
    assert men.any()
    assert women.any()


@pytest.mark.parametrize(
    ("part", "settings", "seed", "message"),
    [
        ("moon", WebSettings(), 0, "unknown part of the synthetic world 'moon'; known: captions"),
        ("web", FaceSettings(), 0, "web: expected WebSettings, got FaceSettings"),
        ("web", WebSettings(), -1, "web: the seed is -1; expected 0 or more"),
    ],
)
def test_what_cannot_be_generated_is_reported_and_writes_nothing(part, settings, seed, message, tmp_path):
    with pytest.raises(UserError, match=message):
        generate_world(part, settings, seed, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    generate_world("textures", TINY["textures"], 0, tmp_path / "out")
    before = digests(tmp_path / "out")

    def fail(folder, settings, rng):
        (folder / "half").write_text("written")
        raise OSError("disk full")

    monkeypatch.setitem(generate.GENERATORS, "textures", fail)
    with pytest.raises(OSError, match="disk full"):
        generate_world("textures", TINY["textures"], 1, tmp_path / "out")
    assert digests(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_there_is_replaced_whole(tmp_path):
    generate_world("faces", FaceSettings(train=20, val=8), 0, tmp_path / "out")
    generate_world("faces", TINY["faces"], 0, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out/fairface_label_train.csv")) == 12
    assert len(list((tmp_path / "out/train").iterdir())) == 12
