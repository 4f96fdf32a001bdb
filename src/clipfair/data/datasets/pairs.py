"""Image-text pairs in webdataset shards, as img2dataset writes them.

``shards/00000.tar`` contains <key>.jpg, <key>.txt and <key>.json of each pair. ``00000.parquet`` next to it
has a row for every address that was tried; those with the status "success" are in the tar, which may be
empty. Shards may have other names (00000000) and be in folders below ``shards``.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clipfair.core.errors import UserError, progress
from clipfair.core.paths import SHARDS
from clipfair.data.loading import columns
from clipfair.data.shards import list_files, list_shards

ADVICE = "download the shard again"


def load(folder: str | Path) -> pd.DataFrame:
    """Check the shards and list them by name: one row a shard, not a pair.

    Images and captions are not read here; annotation reads them all and counts those that are damaged.

    Returns
    -------
    ``key`` (00000), ``tar`` and ``parquet`` (paths relative to ``folder``), ``examples`` and ``failed``
    (int64), the pairs in the tar and the addresses without one; ``split`` (train).

    Raises
    ------
    UserError
        If a tar has no parquet or vice versa, their keys differ, a file is damaged, a key has two files of
        one suffix, or two shards share a key.
    """
    root = Path(folder, SHARDS)
    tars = _paired_tars(Path(folder))
    rows, keys = [], []
    for name, tar in progress(tars.items(), unit="shard", what="checking shards"):
        found, failed = _check_shard(root, tar)
        place = tar.relative_to(folder).as_posix()
        rows.append((name, place, f"{place.removesuffix('.tar')}.parquet", len(found), failed))
        keys.append(pd.Series(sorted(found), dtype="str"))
    _check_overlap(list(tars), keys, root)
    frame = pd.DataFrame(rows, columns=["key", "tar", "parquet", "examples", "failed"])
    return frame.assign(split=columns.constant("train", frame))


def _paired_tars(folder: Path) -> dict[str, Path]:
    """Return the tars by name, each of which has its parquet next to it."""
    root, by_name = folder / SHARDS, list_shards(folder)
    tars, parquets = (
        {path.relative_to(root).with_suffix("").as_posix() for path in list_shards(folder, suffix).values()}
        for suffix in (".tar", ".parquet")
    )
    for here, there, suffix, other in (
        (tars, parquets, ".tar", ".parquet"),
        (parquets, tars, ".parquet", ".tar"),
    ):
        alone = sorted(here - there)
        if alone:
            raise UserError(
                f"{root}: {alone[0]}{suffix} has no {alone[0]}{other} ({len(alone)} such in all); {ADVICE}"
            )
    if not tars:
        raise UserError(f"{root}: no shards (00000.tar and 00000.parquet); fetch the dataset again")
    return by_name


def _check_shard(root: Path, tar_path: Path) -> tuple[set[str], int]:
    """Return the keys of one shard, equal in tar and parquet, and the number of addresses without a pair."""
    name, parquet_path = tar_path.stem, tar_path.with_suffix(".parquet")
    in_tar = set(list_files(tar_path))
    try:
        missing = {"key", "status"} - set(pq.read_schema(parquet_path).names)
        tried = None if missing else pq.read_table(parquet_path, columns=["key", "status"]).to_pandas()
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{parquet_path}: not a readable parquet ({reason}); {ADVICE}") from None
    if tried is None:
        raise UserError(f"{parquet_path}: no column {', '.join(sorted(missing))}; {ADVICE}")
    in_parquet = set(tried["key"][tried["status"] == "success"])
    lists = {"the tar": in_tar - in_parquet, "the parquet": in_parquet - in_tar}
    problems = [f"{len(keys):,} only in {where} (first {min(keys)})" for where, keys in lists.items() if keys]
    if problems:
        raise UserError(
            f"{root}: {name}.tar and {name}.parquet have different keys: {' and '.join(problems)}; {ADVICE}"
        )
    return in_tar, int((tried["status"] != "success").sum())


def _check_overlap(names: list[str], keys: list[pd.Series], root: Path) -> None:
    every = pd.concat(keys, keys=names)
    repeated = every.duplicated()
    if repeated.any():
        key = every[repeated].iloc[0]
        first, second = every.index[every == key].get_level_values(0)[:2]
        raise UserError(
            f"{root}: key {key!r} is in {first}.tar and in {second}.tar ({repeated.sum():,} such in all); "
            "every pair of a dataset needs its own key: download them again into one folder"
        )
