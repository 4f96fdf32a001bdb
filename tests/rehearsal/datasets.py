"""The miniature of each dataset of the studies, and its entry in the rehearsal's catalogue."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clipfair.core.io import sha256_of
from tests.rehearsal import classification, generated, tabular

# Each writes the published files into a folder and returns the number of rows of the prepared table.
WRITERS: dict[str, Callable[[Path], int]] = {
    "adult": tabular.write_adult_archive,
    "birds": classification.write_birds,
    "caltech101": classification.write_caltech101,
    "cars": classification.write_cars,
    "cc12m": generated.write_cc12m,
    "cifar100": generated.write_cifar100,
    "coco": generated.write_coco,
    "colorectal": classification.write_colorectal,
    "credit-default": tabular.write_credit_default,
    "dtd": generated.write_dtd,
    "fairface": generated.write_fairface,
    "fairface-labels": generated.write_fairface_labels,
    "flickr30k": generated.write_flickr30k,
    "flickr30k-captions": generated.write_flickr30k_captions,
    "harvard-fairvlmed": generated.write_harvard_fairvlmed,
    "imagenet": classification.write_imagenet,
    "miap": generated.write_miap,
    "pets": classification.write_pets,
    "uc-merced": classification.write_uc_merced,
    "utkface": generated.write_utkface,
}
CHECKSUMS = ("sha256", "md5", "size")


def write_dataset(name: str, mirror: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Write a dataset into the mirror folder; return its entry with the checksums of these files."""
    folder = mirror / name
    folder.mkdir()
    rows = WRITERS[name](folder)
    archives = [
        {**_without_checksums(archive), **_checksum(folder / archive["file"])}
        for archive in entry.get("archives", ())
    ]
    layouts = {
        layout: {file: _checksum(folder / file) for file in described}
        for layout, described in entry["layouts"].items()
    }
    return {**entry, "archives": archives, "layouts": layouts, "expected": {"rows": rows}, "miniature": True}


def _without_checksums(archive: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in archive.items() if key not in CHECKSUMS}


def _checksum(path: Path) -> dict[str, Any]:
    """Return the sha256 and size of a file; nothing of one that the miniature has in another form."""
    if not path.is_file():
        return {}
    return {"sha256": sha256_of(path), "size": path.stat().st_size}
