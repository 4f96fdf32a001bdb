"""From the files as published to one checked table."""

import importlib
import sys
from pathlib import Path

import pandas as pd

from clipfair.core.catalogue import Dataset
from clipfair.core.errors import UserError
from clipfair.core.io import write_parquet
from clipfair.data.datasets import index
from clipfair.data.datasets.table import check_expected

# The module of each dataset; it has ``load(folder) -> pandas.DataFrame``.
LOADERS = {
    "adult": "clipfair.data.datasets.adult",
    "credit-default": "clipfair.data.datasets.credit_default",
    "cc3m": "clipfair.data.datasets.pairs",
    "cc12m": "clipfair.data.datasets.pairs",
    "datacomp-small": "clipfair.data.datasets.pairs",
    "fairface": "clipfair.data.datasets.fairface",
    "fairface-labels": "clipfair.data.datasets.fairface_labels",
    "utkface": "clipfair.data.datasets.utkface",
    "miap": "clipfair.data.datasets.miap",
    "imagenet": "clipfair.data.datasets.imagenet",
    "cifar100": "clipfair.data.datasets.cifar100",
    "pets": "clipfair.data.datasets.pets",
    "colorectal": "clipfair.data.datasets.colorectal",
    "cars": "clipfair.data.datasets.cars",
    "birds": "clipfair.data.datasets.birds",
    "uc-merced": "clipfair.data.datasets.uc_merced",
    "dtd": "clipfair.data.datasets.dtd",
    "caltech101": "clipfair.data.datasets.caltech101",
    "coco": "clipfair.data.datasets.coco",
    "flickr30k": "clipfair.data.datasets.flickr30k",
    "flickr30k-captions": "clipfair.data.datasets.flickr30k_captions",
    "harvard-fairvlmed": "clipfair.data.datasets.harvard_fairvlmed",
}
# The originals hold fewer examples that cannot be used (UTKFace: a few in 23,700); more is damage.
MAX_LEFT_OUT = 0.01


def prepare_dataset(
    dataset: Dataset, raw_dir: str | Path, out_path: str | Path, *, subset: bool = False
) -> None:
    """Read the files in ``raw_dir``, check them and write one parquet, types kept.

    A table of images has a unique ``key``. What the files hold that cannot be used is told on standard
    error and kept in the parquet's metadata (``attrs["left_out"]`` when pandas reads it).

    Parameters
    ----------
    subset
        Accept a partial copy: the published counts are not compared.

    Raises
    ------
    UserError
        If a cell or a count is not as published, or more than ``MAX_LEFT_OUT`` of the examples cannot
        be used; then nothing is written.
    """
    if dataset.loader not in LOADERS:
        raise UserError(f"dataset {dataset.id!r} has no loader; known: {', '.join(LOADERS)}")
    # Imported here, so that a job loads only what its own dataset needs.
    frame = importlib.import_module(LOADERS[dataset.loader]).load(raw_dir)
    index.check_columns(frame, dataset)
    if "key" in frame:
        index.check_keys(frame, name=dataset.id)
    _report_left_out(frame, dataset.id)
    if not subset:
        check_expected(frame, dataset.expected, name=dataset.id)
    write_parquet(out_path, frame)


def _report_left_out(frame: pd.DataFrame, name: str) -> None:
    for reason, names in index.left_out(frame).items():
        share = len(names) / (len(frame) + len(names))
        told = f"{name}: {len(names):,} left out ({share:.2%}) for {reason}: {', '.join(names[:5])}"
        if share > MAX_LEFT_OUT:
            raise UserError(f"{told}; more than {MAX_LEFT_OUT:.0%} is damage: fetch the dataset again")
        print(f"clipfair: {told}", file=sys.stderr)
