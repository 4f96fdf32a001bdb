"""Miniature datasets that the synthetic data's generators write in the published formats."""

import tempfile
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd

from clipfair.core.io import read_json, write_csv, write_json
from clipfair.data.datasets import fairface, flickr30k
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from tests.rehearsal import files

CAPTION_ARCHIVE = "caption_datasets.zip"
CAPTIONS = {"coco": {"val": 4, "test": 24}, "flickr30k": {"val": 200, "test": 24}}
FACES = {"train": 126, "val": 126}
PEOPLE = {"train": 64, "validation": 64, "test": 96}
PAIRS, SHARDS = 1200, 2


def write_cc12m(folder: Path) -> int:
    """Write shards as img2dataset does; return their number."""
    with tempfile.TemporaryDirectory() as made:
        _generate("web", {"pairs": PAIRS, "shard_size": PAIRS // SHARDS}, Path(made, "web"))
        Path(made, "web/shards").rename(folder / "shards")
    return SHARDS


def write_harvard_fairvlmed(folder: Path) -> int:
    """Write npz files and notes; every group is common enough to be in every split with both labels."""
    shares = {
        "race": {"asian": 0.3, "black": 0.3, "white": 0.4},
        "gender": {"female": 0.5, "male": 0.5},
        "ethnicity": {"non-hispanic": 0.6, "hispanic": 0.35, "unknown": 0.05},
        "language": {"english": 0.5, "spanish": 0.25, "other": 0.2, "unknown": 0.05},
    }
    _generate("fundus", {"size": 64, **PEOPLE, **shares}, folder)
    return sum(PEOPLE.values())


def write_fairface(folder: Path) -> int:
    """Write the images and labels of FairFace; every age and race is in both splits."""
    _generate("faces", FACES, folder)
    for split in FACES:
        path = folder / fairface.SPLITS[split]
        labels = pd.read_csv(path, dtype=str)
        for name in ("age", "race"):
            values = cycle(fairface.ATTRIBUTES[name])
            labels[name] = [next(values) for _ in labels.index]
        write_csv(path, labels)
    return sum(FACES.values())


def write_fairface_labels(folder: Path) -> int:
    """Write the label files of FairFace alone."""
    with tempfile.TemporaryDirectory() as made:
        rows = write_fairface(Path(made, "fairface"))
        for name in fairface.SPLITS.values():
            Path(made, "fairface", name).rename(folder / name)
    return rows


def write_utkface(folder: Path) -> int:
    """Write UTKFace, with as large a share of names without a field as the original has at most."""
    _generate("named-faces", {"images": 202, "malformed": 2}, folder)
    return 200


def write_miap(folder: Path) -> int:
    """Write MIAP."""
    sizes = {"train": 8, "val": 4, "test": 60}
    _generate("scenes", sizes, folder)
    return sum(sizes.values())


def write_cifar100(folder: Path) -> int:
    """Write cifar-100-python.tar.gz, with 16 classes."""
    with tempfile.TemporaryDirectory() as made:
        _generate("objects", {"train_per_class": 4, "test_per_class": 3}, Path(made, "objects"))
        files.write_files(folder, {"cifar-100-python.tar.gz": files.tar_folder(Path(made, "objects"))})
    return 16 * 7


def write_dtd(folder: Path) -> int:
    """Write dtd-r1.0.1.tar.gz."""
    with tempfile.TemporaryDirectory() as made:
        _generate("textures", {"per_class": 9}, Path(made, "textures"))
        images = len(list(Path(made, "textures/dtd/images").rglob("*.jpg")))
        files.write_files(folder, {"dtd-r1.0.1.tar.gz": files.tar_folder(Path(made, "textures"))})
    return images


def write_coco(folder: Path) -> int:
    """Write val2014.zip and Karpathy's captions; a prepared table has rows of the test split alone."""
    with tempfile.TemporaryDirectory() as made:
        _generate("captions", CAPTIONS["coco"], Path(made, "coco"))
        images = files.zip_folder(Path(made, "coco"), "val2014")
    files.write_files(folder, {"val2014.zip": images, CAPTION_ARCHIVE: _captions()})
    return CAPTIONS["coco"]["test"]


def write_flickr30k(folder: Path) -> int:
    """Write Flickr30k's images and Karpathy's file."""
    with tempfile.TemporaryDirectory() as made:
        described = _flickr30k(Path(made, "flickr30k"))
        paths = sorted(Path(made, "flickr30k/val2014").iterdir())
        images = {_flickr_name(path.name): path.read_bytes() for path in paths}
        files.write_files(folder / flickr30k.FOLDER, images)
    write_json(folder / flickr30k.FILE, described)
    return sum(CAPTIONS["flickr30k"].values())


def write_flickr30k_captions(folder: Path) -> int:
    """Write Karpathy's captions alone."""
    files.write_files(folder, {CAPTION_ARCHIVE: _captions()})
    return sum(CAPTIONS["flickr30k"].values())


def _captions() -> bytes:
    """Return Karpathy's caption_datasets.zip, which describes COCO and Flickr30k."""
    with tempfile.TemporaryDirectory() as made:
        _generate("captions", CAPTIONS["coco"], Path(made, "coco"))
        write_json(Path(made, "both/dataset_flickr30k.json"), _flickr30k(Path(made, "flickr30k")))
        Path(made, "coco/dataset_coco.json").rename(Path(made, "both/dataset_coco.json"))
        return files.zip_folder(Path(made, "both"))


def _flickr30k(folder: Path) -> dict[str, Any]:
    """Write images and captions in COCO's format; return the captions in that of Flickr30k."""
    _generate("captions", CAPTIONS["flickr30k"], folder, seed=1)
    described = read_json(folder / "dataset_coco.json")
    images = [
        {key: value for key, value in image.items() if key not in ("filepath", "cocoid")}
        | {"filename": _flickr_name(image["filename"])}
        for image in described["images"]
    ]
    return {"images": images, "dataset": "flickr30k"}


def _flickr_name(coco_name: str) -> str:
    return f"{int(coco_name.removesuffix('.jpg').rpartition('_')[2])}.jpg"


def _generate(part: str, settings: Mapping[str, Any], folder: Path, *, seed: int = 0) -> None:
    generate_world(part, make_settings(part, settings), seed, folder)
