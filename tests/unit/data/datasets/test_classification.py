"""Loaders of the zero- and few-shot datasets, on small files in the published formats."""

import io
import pickle
import struct
import tarfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from clipfair.data.datasets import (
    birds,
    caltech101,
    cars,
    cifar100,
    colorectal,
    dtd,
    imagenet,
    pets,
    uc_merced,
)
from clipfair.data.images import open_image
from clipfair.data.loading import splits
from clipfair.data.loading.checks import check_columns
from clipfair.data.prepare import prepare_dataset


def tarred(files, mode="w"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def matlab(**variables):
    stream = io.BytesIO()
    savemat(stream, variables)
    return stream.getvalue()


def structs(rows, **kinds):
    """An array of structures, MATLAB's form of a table."""
    array = np.empty((1, len(rows)), dtype=list(kinds.items()))
    array[0, :] = [tuple(row) for row in rows]
    return array


def column(frame, name):
    return frame[name].astype(object).tolist()


# --- our own splits -------------------------------------------------------------------------------


@given(keys=st.lists(st.text(max_size=8), unique=True, max_size=50), shuffle=st.randoms())
@settings(max_examples=50, deadline=None)
def test_a_hash_split_does_not_depend_on_the_order(keys, shuffle):
    first = dict(zip(keys, splits.hash_split(keys, train=10, of=21), strict=True))
    turned = shuffle.sample(keys, len(keys))
    assert first == dict(zip(turned, splits.hash_split(turned, train=10, of=21), strict=True))
    assert sum(split == "train" for split in first.values()) == round(len(keys) * 10 / 21)


def test_hash_ranks_are_a_permutation_without_pattern():
    keys = [f"image_{number:04d}" for number in range(2100)]
    rank = splits.hash_rank(keys)
    assert sorted(rank) == list(range(2100))
    # Neither sorted by name nor by its reverse: the rank correlation of a drawn order has deviation 0.02.
    assert abs(np.corrcoef(rank, np.arange(2100))[0, 1]) < 0.1


# --- folders by class --------------------------------------------------------------------------------


def test_colorectal(tree, make_image, catalogue):
    kinds = ("01_TUMOR", "02_STROMA", "10_EMPTY")
    files = {
        f"{colorectal.ROOT}/{k}/{n:05X}_CRC_{n}.tif": make_image(n, "tiff") for k in kinds for n in range(5)
    }
    files |= {f"{colorectal.ROOT}/{k}/Thumbs.db": b"" for k in kinds}
    folder = tree(files)
    frame = colorectal.load(folder)
    check_columns(frame, catalogue["colorectal"])
    assert list(frame["label"].cat.categories) == ["tumor", "stroma", "empty"]
    assert frame["label"].value_counts().tolist() == [5, 5, 5]
    # The folders contain files with the same names.
    assert frame["key"].is_unique
    assert frame["split"].value_counts().to_dict() == {"train": 6, "test": 9}
    assert open_image(frame.iloc[0].to_dict(), folder=folder).size == (8, 6)


def test_uc_merced_gives_the_same_splits_in_both_trees(tree, make_image, tmp_path, catalogue):
    names = [f"{kind}/{kind}{number:02d}" for kind in ("river", "beach") for number in range(10)]
    original = uc_merced.load(tree({f"UCMerced_LandUse/Images/{name}.tif": b"" for name in names}))
    check_columns(original, catalogue["uc-merced"])
    copy = tmp_path / "copy"
    for number, name in enumerate(names):
        path = copy / ("test" if number % 5 == 0 else "train") / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_image())
    columns = ["key", "label", "split"]
    pd.testing.assert_frame_equal(uc_merced.load(copy)[columns], original[columns])
    assert original["label"].tolist() == ["beach"] * 10 + ["river"] * 10
    assert original["split"].value_counts().to_dict() == {"train": 10, "test": 10}


def test_an_image_in_both_folders_of_a_copy(tree, catalogue, error_of, tmp_path):
    folder = tree({f"{split}/river/river00.jpg": b"" for split in ("train", "test")})
    message = error_of(prepare_dataset, catalogue["uc-merced"], folder, tmp_path / "t", subset=True)
    assert "'river00' is there 2 times (train/river/river00.jpg, test/river/river00.jpg)" in message


@pytest.mark.parametrize(
    ("files", "fragment"),
    [
        ({f"{colorectal.ROOT}/README.txt": ""}, "no images in folders named by class"),
        (
            {f"{colorectal.ROOT}/01_TUMOR/a.tif": "", f"{colorectal.ROOT}/b.tif": ""},
            "'b.tif' is not in a class",
        ),
        ({f"{colorectal.ROOT}/01_TUMOR/x/a.tif": ""}, "'01_TUMOR/x/a.tif' is not in a class's folder"),
    ],
)
def test_folders_without_classes(tree, error_of, files, fragment):
    assert fragment in error_of(colorectal.load, tree(files))


# --- Caltech-101 -------------------------------------------------------------------------------------

CALTECH = [("BACKGROUND_Google", 35), ("accordion", 31), ("Faces_easy", 32)]


@pytest.fixture(scope="module")
def caltech(make_image):
    """The archive's files, each with a hidden companion as macOS writes it."""
    files = {"101_ObjectCategories/BACKGROUND_Google/tmp": b""}
    for kind, n in CALTECH:
        for number in range(1, n + 1):
            files[f"101_ObjectCategories/{kind}/image_{number:04d}.jpg"] = make_image(number)
            files[f"101_ObjectCategories/{kind}/._image_{number:04d}.jpg"] = b"twin"
    return files


def test_caltech101(tree, caltech, catalogue):
    folder = tree({caltech101.ARCHIVE: tarred(caltech, "w:gz")})
    frame = caltech101.load(folder)
    check_columns(frame, catalogue["caltech101"])
    assert list(frame["label"].cat.categories) == ["BACKGROUND_Google", "Faces_easy", "accordion"]
    assert frame["key"].is_unique
    sizes = frame.groupby(["label", "split"], observed=True).size()
    assert sizes.to_dict() == {
        (kind, split): {"train": 30, "test": n - 30}[split]
        for kind, n in CALTECH
        for split in ("train", "test")
    }
    example = frame.iloc[40].to_dict()
    assert example["image_bytes"] == caltech[f"101_ObjectCategories/{example['key']}.jpg"]
    assert open_image(example, folder=folder).size == (8, 6)


def test_caltech101_unpacked_gives_the_same_splits(tree, caltech):
    packed = caltech101.load(tree({caltech101.ARCHIVE: tarred(caltech, "w:gz")}))
    unpacked = caltech101.load(tree({name: c for name, c in caltech.items() if "/._" not in name}))
    columns = ["key", "label", "split"]
    pd.testing.assert_frame_equal(packed[columns], unpacked[columns])


def test_broken_caltech101(tree, caltech, error_of):
    content = tarred(caltech, "w:gz")
    for broken in (content[: len(content) // 2], b"<html>", b""):
        message = error_of(caltech101.load, tree({caltech101.ARCHIVE: broken}))
        assert "101_ObjectCategories.tar.gz: damaged archive" in message
    assert "no images" in error_of(
        caltech101.load, tree({caltech101.ARCHIVE: tarred({"a/b.txt": b""}, "w:gz")})
    )


# --- CIFAR-100 ---------------------------------------------------------------------------------------


class Python2:
    """Pickles as Python 2 wrote CIFAR's: texts are bytes, arrays have the numpy module names of that time."""

    def dump(self, value):
        return b"\x80\x02" + self.encode(value) + b"."

    def encode(self, value):
        if isinstance(value, dict):
            return b"}(" + b"".join(self.encode(k) + self.encode(v) for k, v in value.items()) + b"u"
        if isinstance(value, list):
            return b"](" + b"".join(map(self.encode, value)) + b"e"
        if isinstance(value, str):
            return b"T" + struct.pack("<i", len(value)) + value.encode("latin-1")
        if isinstance(value, np.ndarray):
            return self.encode_array(value)
        return b"J" + struct.pack("<i", value)

    def encode_array(self, value):
        start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        shape = b"(" + b"".join(self.encode(int(n)) for n in value.shape) + b"t"
        kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        data = b"T" + struct.pack("<i", value.size) + value.tobytes()
        return start + b"(K\x01" + shape + kind + b"\x89" + data + b"tb"


@pytest.fixture
def cifar():
    """The three files as values: 4 and 2 images of 3 classes."""
    rng = np.random.default_rng(0)
    files = {
        "meta": {"fine_label_names": ["apple", "baby", "bear"], "coarse_label_names": ["food", "people"]}
    }
    for split, codes in {"train": [2, 0, 1, 0], "test": [1, 2]}.items():
        files[split] = {
            "filenames": [f"{number}.png" for number in range(len(codes))],
            "batch_label": f"{split}ing batch 1 of 1",
            "fine_labels": codes,
            "coarse_labels": [0] * len(codes),
            "data": rng.integers(256, size=(len(codes), 3072), dtype=np.uint8),
        }
    return files


def write_cifar(tree, files):
    return tree({f"cifar-100-python/{name}": Python2().dump(value) for name, value in files.items()})


def test_cifar100(tree, cifar, catalogue):
    folder = write_cifar(tree, cifar)
    frame = cifar100.load(folder)
    check_columns(frame, catalogue["cifar100"])
    assert frame["key"].tolist() == [*(f"train/0000{n}" for n in range(4)), "test/00000", "test/00001"]
    assert column(frame, "label") == ["bear", "apple", "baby", "apple", "baby", "bear"]
    assert frame["label"].cat.codes.tolist() == [2, 0, 1, 0, 1, 2]
    # Row 5, column 7, green: after 1,024 reds.
    seen = np.asarray(open_image(frame.iloc[4].to_dict(), folder=folder))
    assert seen.shape == (32, 32, 3)
    assert seen[5, 7, 1] == cifar["test"]["data"][0, 1024 + 5 * 32 + 7]


class Payload:
    def __reduce__(self):
        return (print, ("run",))


def test_a_pickle_cannot_run_code(tree, cifar, error_of, capsys):
    folder = write_cifar(tree, cifar)
    (folder / "cifar-100-python/train").write_bytes(pickle.dumps(Payload(), protocol=2))
    message = error_of(cifar100.load, folder)
    assert "train: not one of CIFAR-100's files (it names __builtin__.print" in message
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"fine_labels": [2, 0]}, "expected uint8 of shape (2, 3072)"),
        ({"fine_labels": [3, 0, 0, 0]}, "a label is none of the 3 classes"),
        ({"data": np.zeros((4, 100), dtype=np.uint8)}, "shape (4, 100)"),
    ],
)
def test_broken_cifar100(tree, cifar, error_of, change, fragment):
    message = error_of(cifar100.load, write_cifar(tree, cifar | {"train": cifar["train"] | change}))
    assert "cifar-100-python/train: " in message
    assert fragment in message


def test_cifar100_without_a_field_or_a_file(tree, cifar, error_of):
    lacking = {name: value for name, value in cifar["test"].items() if name != "fine_labels"}
    assert "test: no 'fine_labels'" in error_of(cifar100.load, write_cifar(tree, cifar | {"test": lacking}))
    folder = write_cifar(tree, cifar)
    whole = (folder / "cifar-100-python/test").read_bytes()
    for broken in (b"", whole[:-1000], b"<html>", b"\x80\x02]."):
        (folder / "cifar-100-python/test").write_bytes(broken)
        assert "cifar-100-python/test: " in error_of(cifar100.load, folder)
    (folder / "cifar-100-python/meta").unlink()
    assert "meta: no such file" in error_of(cifar100.load, folder)


# --- Pets --------------------------------------------------------------------------------------------

PETS = {
    "trainval": ["#Image CLASS-ID SPECIES BREED ID", "Abyssinian_100 1 1 1", "beagle_32 5 2 4"],
    "test": ["american_bulldog_2 2 2 1", "Abyssinian_3 1 1 1"],
}


def write_pets(tree, make_image, **lists):
    names = ("Abyssinian_100", "beagle_32", "american_bulldog_2", "Abyssinian_3")
    files = {f"images/{name}.jpg": make_image(n) for n, name in enumerate(names)}
    texts = {f"annotations/{name}.txt": "\n".join([*lines, ""]) for name, lines in (PETS | lists).items()}
    return tree(files | texts)


def test_pets(tree, make_image, catalogue):
    frame = pets.load(write_pets(tree, make_image))
    check_columns(frame, catalogue["pets"])
    assert frame["key"].tolist() == ["Abyssinian_100", "beagle_32", "american_bulldog_2", "Abyssinian_3"]
    assert list(frame["label"].cat.categories) == ["Abyssinian", "american_bulldog", "beagle"]
    assert column(frame, "label") == ["Abyssinian", "beagle", "american_bulldog", "Abyssinian"]
    assert frame["split"].tolist() == ["train", "train", "test", "test"]
    assert frame["image"][0] == "images/Abyssinian_100.jpg"


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("Abyssinian_9 1 1 1", "'images/Abyssinian_9.jpg' is not there"),
        ("Abyssinian_100 1 1 1", "'Abyssinian_100' is there a second time"),
        ("Abyssinian 1 1 1", "'Abyssinian' is not <breed>_<number>"),
        ("american_bulldog_2 1 2 1", "column 'class': '1' is the class of another breed above"),
        ("american_bulldog_2 2 2", "3 fields, expected 4"),
        ("american_bulldog_2 x 2 1", "column 'class': 'x' is not a whole number"),
    ],
)
def test_broken_pets(tree, make_image, error_of, line, fragment):
    folder = write_pets(tree, make_image, trainval=["Abyssinian_100 1 1 1", line])
    message = error_of(pets.load, folder)
    assert "trainval.txt: line 2: " in message
    assert fragment in message


# --- Cars --------------------------------------------------------------------------------------------


def write_cars(tree, make_image, train=(("00001.jpg", 2), ("00002.jpg", 1)), test=(("00001.jpg", 2),)):
    kinds = dict.fromkeys(("bbox_x1", "class", "fname"), object)
    files = {f"cars_train/0000{n}.jpg": make_image(n) for n in (1, 2)} | {
        "cars_test/00001.jpg": make_image(3)
    }
    for name, rows in {"devkit/cars_train_annos.mat": train, "cars_test_annos_withlabels.mat": test}.items():
        files[name] = matlab(annotations=structs([(39, code, file) for file, code in rows], **kinds))
    names = np.array([["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]], dtype=object)
    return tree(files | {"devkit/cars_meta.mat": matlab(class_names=names)})


def test_cars(tree, make_image, catalogue):
    folder = write_cars(tree, make_image)
    frame = cars.load(folder)
    check_columns(frame, catalogue["cars"])
    assert frame["key"].tolist() == ["train/00001", "train/00002", "test/00001"]
    assert frame["label"].cat.codes.tolist() == [1, 0, 1]
    assert column(frame, "label")[1] == "AM General Hummer SUV 2000"
    assert open_image(frame.iloc[2].to_dict(), folder=folder).size == (8, 6)


@pytest.mark.parametrize(
    ("row", "fragment"),
    [
        (("00009.jpg", 1), "'cars_train/00009.jpg' is not there (1 of 2 missing)"),
        (("00001.jpg", 1), "'cars_train/00001.jpg' is there a second time"),
        (("00002.jpg", 3), "column 'class': '3' is no class; known: 1 to 2"),
        (("00002.jpg", 0), "column 'class': '0' is no class; known: 1 to 2"),
    ],
)
def test_broken_cars(tree, make_image, error_of, row, fragment):
    message = error_of(cars.load, write_cars(tree, make_image, train=(("00001.jpg", 2), row)))
    assert "cars_train_annos.mat: annotation 2: " in message
    assert fragment in message


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "not a readable MATLAB file"),
        (b"<html>" * 50, "not a readable MATLAB file"),
        (matlab(other=1), "no variable 'annotations'"),
        (matlab(annotations=structs([(1,)], fname=object)), "annotations has no field class"),
    ],
)
def test_a_file_that_is_not_matlab(tree, make_image, error_of, content, fragment):
    folder = write_cars(tree, make_image)
    (folder / "devkit/cars_train_annos.mat").write_bytes(content)
    message = error_of(cars.load, folder)
    assert "cars_train_annos.mat: " in message
    assert fragment in message


# --- Birds -------------------------------------------------------------------------------------------

BIRDS = {
    "images.txt": [
        "1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg",
        "2 001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg",
        "3 010.Red_winged_Blackbird/Red_Winged_Blackbird_0001_1.jpg",
    ],
    "image_class_labels.txt": ["1 1", "2 1", "3 10"],
    "train_test_split.txt": ["1 0", "2 1", "3 1"],
}


def write_birds(tree, make_image, **lists):
    texts = {**BIRDS, **{f"{name}.txt": lines for name, lines in lists.items()}}
    files = {f"CUB_200_2011/images/{line.split(' ')[1]}": make_image() for line in BIRDS["images.txt"]}
    return tree(files | {f"CUB_200_2011/{name}": "\n".join([*lines, ""]) for name, lines in texts.items()})


def test_birds(tree, make_image, catalogue):
    folder = write_birds(tree, make_image)
    frame = birds.load(folder)
    check_columns(frame, catalogue["birds"])
    assert list(frame["label"].cat.categories) == ["Black_footed_Albatross", "Red_winged_Blackbird"]
    assert frame["label"].cat.codes.tolist() == [0, 0, 1]
    assert frame["split"].tolist() == ["test", "train", "train"]
    assert frame["key"][2] == "010.Red_winged_Blackbird/Red_Winged_Blackbird_0001_1"
    assert open_image(frame.iloc[0].to_dict(), folder=folder).size == (8, 6)


@pytest.mark.parametrize(
    ("lists", "fragment"),
    [
        (
            {"images": ["1 001.Black_footed_Albatross/x.jpg", *BIRDS["images.txt"][1:]]},
            "images.txt: line 1: column 'image': '001.Black_footed_Albatross/x.jpg' is not there",
        ),
        (
            {"image_class_labels": ["1 1", "2 2", "3 10"]},
            "labels.txt: line 2: column 'class': '2' is not its fold",
        ),
        (
            {"image_class_labels": ["1 1", "3 10", "2 1"]},
            "labels.txt: line 2: column 'id': '3' is not the image in",
        ),
        (
            {"train_test_split": ["1 0", "2 1"]},
            "images.txt: line 3: column 'id': '3' is not in train_test_split",
        ),
        (
            {"train_test_split": ["1 0", "2 1", "3 1", "4 1"]},
            "split.txt: line 4: column 'id': '4' is not the image",
        ),
        ({"train_test_split": ["1 0", "2 1", "3 2"]}, "split.txt: line 3: column 'is_train': '2' is unknown"),
        (
            {"train_test_split": ["1 0", "1 1", "3 1"]},
            "split.txt: line 2: column 'id': '1' is there a second time",
        ),
    ],
)
def test_broken_birds(tree, make_image, error_of, lists, fragment):
    assert fragment in error_of(birds.load, write_birds(tree, make_image, **lists))


# --- DTD ---------------------------------------------------------------------------------------------


def write_dtd(tree, make_image, **lists):
    lists = {"train1": ["banded/banded_0002.jpg"], "val1": ["zigzagged/zigzagged_0001.jpg"]} | lists
    lists = {"test1": ["banded/banded_0009.jpg"], "test2": ["banded/banded_0002.jpg"]} | lists
    files = {f"dtd/images/{line}": make_image() for lines in list(lists.values())[:4] for line in lines}
    return tree(files | {f"dtd/labels/{name}.txt": "\n".join([*lines, ""]) for name, lines in lists.items()})


def test_dtd(tree, make_image, catalogue):
    frame = dtd.load(write_dtd(tree, make_image))
    check_columns(frame, catalogue["dtd"])
    assert frame["key"].tolist() == ["banded/banded_0002", "zigzagged/zigzagged_0001", "banded/banded_0009"]
    assert column(frame, "label") == ["banded", "zigzagged", "banded"]
    assert frame["split"].tolist() == ["train", "val", "test"]


def test_broken_dtd(tree, make_image, error_of):
    folder = write_dtd(tree, make_image)
    (folder / "dtd/images/banded/banded_0009.jpg").unlink()
    assert "test1.txt: line 1: column 'image': 'banded/banded_0009.jpg' is not there" in error_of(
        dtd.load, folder
    )
    (folder / "dtd/labels/train1.txt").write_text("")
    assert "train1.txt: the file is empty" in error_of(dtd.load, folder)


# --- ImageNet ----------------------------------------------------------------------------------------

SYNSETS = [
    (1, "n02119789", "kit fox, Vulpes macrotis", 0),
    (2, "n01440764", "tench, Tinca tinca", 0),
    (3, "n02012849", "crane", 0),
    (1001, "n00001740", "entity", 2),
]


def write_imagenet(tree, make_image, val=("1", "3"), train=("n01440764", "n02012849"), truth="2\n1\n3\n"):
    synsets = structs(
        [(number, wnid, words, "gloss", children) for number, wnid, words, children in SYNSETS],
        ILSVRC2012_ID=object,
        WNID=object,
        words=object,
        gloss=object,
        num_children=object,
    )
    kit = {imagenet.META: matlab(synsets=synsets), imagenet.GROUND_TRUTH: truth.encode()}
    folders = {f"{wnid}.tar": tarred({f"{wnid}_{n}.JPEG": make_image(n) for n in range(3)}) for wnid in train}
    images = {f"ILSVRC2012_val_{int(n):08d}.JPEG": make_image(10 + int(n)) for n in val}
    return tree(
        {
            imagenet.DEVKIT: tarred(kit, "w:gz"),
            imagenet.ARCHIVES["val"]: tarred(images),
            imagenet.ARCHIVES["train"]: tarred(folders),
        }
    )


def test_imagenet_in_its_archives(tree, make_image, catalogue):
    folder = write_imagenet(tree, make_image)
    frame = imagenet.load(folder).set_index("key", drop=False)
    check_columns(frame, catalogue["imagenet"])
    assert list(frame["label"].cat.categories) == ["n01440764", "n02012849", "n02119789"]
    assert frame.loc["val/ILSVRC2012_val_00000001", ["label", "class_name"]].tolist() == [
        "n01440764",
        "tench",
    ]
    assert frame.loc["val/ILSVRC2012_val_00000003", ["label", "class_name"]].tolist() == [
        "n02012849",
        "crane",
    ]
    assert column(frame[frame["split"] == "train"], "label") == ["n01440764"] * 3 + ["n02012849"] * 3
    for key, number in (("train/n02012849_2", 2), ("val/ILSVRC2012_val_00000003", 13)):
        image = open_image(frame.loc[key].to_dict(), folder=folder)
        again = open_image({"key": "", "image_bytes": make_image(number)}, folder=folder)
        assert image.tobytes() == again.tobytes()


def test_imagenet_in_folders(tree, make_image):
    archives = imagenet.load(write_imagenet(tree, make_image))
    folder = tree(
        {
            f"{row.split}/{row.label}/{row.key.split('/')[1]}.JPEG": make_image()
            for row in archives.itertuples(index=False)
        }
    )
    for name in imagenet.ARCHIVES.values():
        (folder / name).unlink()
    columns = ["key", "split", "label", "class_name", "few_shot"]
    in_folders = imagenet.load(folder).sort_values("key", ignore_index=True)
    pd.testing.assert_frame_equal(
        in_folders[columns], archives.sort_values("key", ignore_index=True)[columns]
    )


def test_imagenet_val_alone(tree, make_image):
    folder = write_imagenet(tree, make_image)
    (folder / imagenet.ARCHIVES["train"]).unlink()
    assert imagenet.load(folder)["split"].tolist() == ["val", "val"]


def test_few_shot_takes_a_share_of_train(tree, make_image, monkeypatch):
    monkeypatch.setattr(imagenet, "SUPPORT", 2)
    monkeypatch.setattr(imagenet, "TRAIN", 6)
    frame = imagenet.load(write_imagenet(tree, make_image))
    assert frame["few_shot"].sum() == 2
    assert (frame["split"][frame["few_shot"]] == "train").all()


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"val": ("1", "4")}, "'ILSVRC2012_val_00000004.JPEG' is not one of the 3 validation images"),
        (
            {"train": ("n09999999",)},
            "is of synset 'n09999999', which ILSVRC2012_devkit_t12.tar.gz does not know",
        ),
        ({"train": ("n00001740",)}, "is of synset 'n00001740'"),
        ({"truth": "2\n9\n"}, "validation_ground_truth.txt: line 2: '9' is no class"),
    ],
)
def test_broken_imagenet(tree, make_image, error_of, change, fragment):
    assert fragment in error_of(imagenet.load, write_imagenet(tree, make_image, **change))


def test_damaged_archives_of_imagenet(tree, make_image, error_of):
    folder = write_imagenet(tree, make_image)
    val, kit = folder / imagenet.ARCHIVES["val"], folder / imagenet.DEVKIT
    whole = val.read_bytes()
    for cut in (1600, 1024, 700):
        val.write_bytes(whole[:cut])
        message = error_of(imagenet.load, folder)
        assert "ILSVRC2012_img_val.tar: damaged, or no tar" in message
    # A damaged header after the first is not the end of the archive.
    start = whole.index(b"ILSVRC2012_val_00000003")
    val.write_bytes(whole[:start] + b"\xff" * 512 + whole[start + 512 :])
    assert (
        "damaged, or no tar (no end-of-archive mark) at or after 'ILSVRC2012_val_00000001.JPEG'"
        in error_of(imagenet.load, folder)
    )
    val.unlink()
    (folder / imagenet.ARCHIVES["train"]).unlink()
    assert "neither ILSVRC2012_img_train.tar nor ILSVRC2012_img_val.tar" in error_of(imagenet.load, folder)
    kit.write_bytes(b"<html>")
    assert "not the published development kit" in error_of(imagenet.load, folder)


# --- the real files ----------------------------------------------------------------------------------


def test_real_uc_merced(real, catalogue, tmp_path):
    folder = real("uc-merced")
    prepare_dataset(catalogue["uc-merced"], folder, tmp_path / "t.parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert open_image(frame.iloc[0].to_dict(), folder=folder).mode == "RGB"
