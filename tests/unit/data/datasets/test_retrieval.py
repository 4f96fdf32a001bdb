"""Loaders of COCO and Flickr30k with Karpathy's splits, and of Flickr30k's captions alone."""

import json
import shutil

import pandas as pd
import pytest

from clipfair.data.datasets import coco, flickr30k, flickr30k_captions
from clipfair.data.images import open_image
from clipfair.data.loading.checks import check_columns, check_expected
from clipfair.data.prepare import prepare_dataset


def image(filename, split, captions, **more):
    """An entry of Karpathy's file."""
    sentences = [
        {"tokens": raw.lower().split(), "raw": raw, "imgid": 0, "sentid": number}
        for number, raw in enumerate(captions)
    ]
    numbers = list(range(len(captions)))
    return {
        "sentids": numbers,
        "imgid": 0,
        "sentences": sentences,
        "split": split,
        "filename": filename,
    } | more


def of_coco(number, split="test", captions=("A man. ", "Zwei Männer"), year="val2014"):
    return image(f"COCO_{year}_{number:012d}.jpg", split, captions, filepath=year, cocoid=number)


COCO = (of_coco(391895), of_coco(522, "train", year="train2014"), of_coco(42, captions=["Dogs"] * 6))


@pytest.fixture
def write_coco(tree, make_image):
    def write(images=COCO):
        files = {f"val2014/COCO_val2014_{number:012d}.jpg": make_image(number) for number in (391895, 42)}
        return tree(files | {"dataset_coco.json": json.dumps({"images": list(images), "dataset": "coco"})})

    return write


def test_coco(write_coco, catalogue):
    folder = write_coco()
    frame = coco.load(folder)
    check_columns(frame, catalogue["coco"])
    assert frame["key"].tolist() == ["391895", "42"]
    assert frame["split"].tolist() == ["test", "test"]
    assert frame["captions"].tolist() == [["A man.", "Zwei Männer"], ["Dogs"] * 6]
    assert open_image(frame.iloc[1].to_dict(), folder=folder).size == (8, 6)


def test_all_captions_are_counted(write_coco, catalogue, error_of):
    expected = catalogue["coco"].expected
    assert (expected.rows, expected.captions) == (5000, 25010)
    frame = coco.load(write_coco([of_coco(42)]))
    message = error_of(check_expected, pd.concat([frame] * 5000), expected, name="coco")
    assert "coco: 10,000 captions, expected 25,010" in message


def without(entry, name):
    return {key: value for key, value in entry.items() if key != name}


@pytest.mark.parametrize(
    ("entry", "fragment"),
    [
        (
            of_coco(7),
            "column 'filename': 'val2014/COCO_val2014_000000000007.jpg' is not there (1 of 2 missing)",
        ),
        (of_coco(42), "column 'cocoid': "),
        (without(of_coco(391895), "split"), "no 'split' (str)"),
        (without(of_coco(391895), "sentences"), "no 'sentences' (list)"),
        (of_coco(391895) | {"cocoid": "x"}, "no 'cocoid' (int)"),
        (of_coco(391895) | {"sentences": [{"tokens": []}]}, "no 'raw' (str)"),
        (of_coco(391895, captions=[]), "no caption"),
        (of_coco(391895, captions=["A man", " "]), "an empty caption"),
        ("x", "no 'filename' (str)"),
    ],
)
def test_broken_entry(write_coco, error_of, entry, fragment):
    message = error_of(coco.load, write_coco([of_coco(42), entry]))
    assert "dataset_coco.json: image 1: " in message
    assert fragment in message


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "not valid JSON"),
        (b'{"images": [', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "no 'images' (list)"),
        (b'{"images": []}', "names no image"),
    ],
)
def test_an_invalid_json(write_coco, error_of, content, fragment):
    folder = write_coco()
    (folder / "dataset_coco.json").write_bytes(content)
    message = error_of(coco.load, folder)
    assert "dataset_coco.json: " in message
    assert fragment in message


def test_coco_without_its_split_or_file(write_coco, error_of):
    assert "no image of the split test" in error_of(coco.load, write_coco([of_coco(42, "val")]))
    folder = write_coco()
    (folder / "dataset_coco.json").unlink()
    assert "dataset_coco.json: no such file" in error_of(coco.load, folder)


# --- Flickr30k ---------------------------------------------------------------------------------------

# Quotation marks and tabs within a caption, as in the original texts.
CAPTIONS = {
    "1000092795": ("train", ['A sign says "STOP, now".', "Two young guys."]),
    "10002456": ("val", ["Several men in hard hats", "'Quoted'"]),
    "1007129816": ("test", ["The man with pierced ears.", "A man ."]),
}


@pytest.fixture
def write_flickr(tree, make_image):
    def write(splits=("train", "val", "test")):
        entries = [
            image(f"{key}.jpg", split, captions)
            for (key, (_, captions)), split in zip(CAPTIONS.items(), splits, strict=True)
        ]
        files = {f"flickr30k-images/{key}.jpg": make_image(int(key) % 97) for key in CAPTIONS}
        return tree(
            files | {"dataset_flickr30k.json": json.dumps({"images": entries, "dataset": "flickr30k"})}
        )

    return write


def tsv(rows):
    """One caption a line, quoted where it has quotation marks."""
    spelt = [
        [f'"{cell.replace(chr(34), chr(34) * 2)}"' if '"' in cell else cell for cell in row] for row in rows
    ]
    return "".join("\t".join(row) + "\n" for row in [["image", "split", "k", "caption"], *spelt])


def lines(test="test_2016"):
    return [
        [f"{key}.jpg", split.replace("test", test), str(k), caption]
        for key, (split, captions) in CAPTIONS.items()
        for k, caption in enumerate(captions, start=1)
    ]


def test_flickr30k(write_flickr, catalogue):
    folder = write_flickr()
    frame = flickr30k.load(folder)
    check_columns(frame, catalogue["flickr30k"])
    assert frame["key"].tolist() == list(CAPTIONS)
    assert frame["split"].tolist() == ["train", "val", "test"]
    assert frame["captions"].tolist() == [captions for _, captions in CAPTIONS.values()]
    assert open_image(frame.iloc[0].to_dict(), folder=folder).size == (8, 6)


def test_both_files_of_captions_give_the_same_frame(write_flickr, tree, catalogue):
    folder = write_flickr()
    expected = flickr30k.load(folder).drop(columns="image")
    check_columns(expected, catalogue["flickr30k-captions"])
    shutil.rmtree(folder / "flickr30k-images")
    pd.testing.assert_frame_equal(flickr30k_captions.load(folder), expected)
    for test in ("test", "test_2016"):
        tree({flickr30k_captions.TSV: tsv(lines(test))})
        pd.testing.assert_frame_equal(flickr30k_captions.load(folder), expected)


def test_broken_flickr30k(write_flickr, error_of):
    message = error_of(flickr30k.load, write_flickr(("train", "val", "dev")))
    assert "image 2: column 'split': 'dev' is unknown; known: train, val, test" in message
    folder = write_flickr()
    (folder / "flickr30k-images/10002456.jpg").unlink()
    message = error_of(flickr30k.load, folder)
    assert "image 1: column 'filename': 'flickr30k-images/10002456.jpg' is not there" in message


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        (["9.jpg", "dev", "1", "A man"], "column 'split': 'dev' is unknown"),
        (["9.jpg", "train", "1", ""], "column 'caption': '' is empty"),
        (["10002456.jpg", "val", "1", "A man"], "column 'k': '1' is there a second time for its image"),
        (
            ["10002456.jpg", "train", "3", "A man"],
            "column 'split': 'train' differs from the image's split",
        ),
        (["9.jpg", "train", "1"], "3 fields, expected 4"),
    ],
)
def test_broken_line_of_captions(tree, error_of, line, fragment):
    message = error_of(flickr30k_captions.load, tree({flickr30k_captions.TSV: tsv([*lines(), line])}))
    assert "flickr30k_captions.tsv: line 8: " in message
    assert fragment in message


# --- the real files ----------------------------------------------------------------------------------


def test_real_captions_of_flickr30k(real, catalogue, tmp_path):
    prepare_dataset(catalogue["flickr30k-captions"], real("flickr30k-captions"), tmp_path / "t.parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert (frame["captions"].map(len) == 5).all()
    assert not frame["captions"].explode().str.startswith('"').all()


def test_real_images_of_coco(real, tmp_path):
    """COCO's own captions and images, converted to Karpathy's format."""
    source = real("coco-tiny")
    published = json.loads((source / "annotations/captions_val2017.json").read_text())
    captions = pd.DataFrame(published["annotations"]).groupby("image_id")["caption"].agg(list)
    entries = [
        image(entry["file_name"], "test", captions[entry["id"]], filepath="val2017", cocoid=entry["id"])
        for entry in published["images"]
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": entries, "dataset": "coco"}))
    (tmp_path / "val2017").symlink_to(source / "val2017")
    frame = coco.load(tmp_path)
    assert frame["captions"].map(len).sum() == len(published["annotations"])
    sizes = {str(entry["id"]): (entry["width"], entry["height"]) for entry in published["images"]}
    for row in frame.head(3).to_dict("records"):
        assert open_image(row, folder=tmp_path).size == sizes[row["key"]]
