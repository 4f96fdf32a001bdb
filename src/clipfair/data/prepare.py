"""From a dataset's files as published to one checked table."""

import ast
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path

import pandas as pd

from clipfair.core.catalogue import Dataset
from clipfair.core.errors import REMEDIES, UserError
from clipfair.core.io import write_parquet
from clipfair.data.loading.checks import check_columns, check_expected, check_keys, left_out

# The originals contain fewer examples that cannot be used (UTKFace: a few in 23,700). More means damage.
MAX_LEFT_OUT = 0.01


def prepare_dataset(
    dataset: Dataset, raw_dir: str | Path, out_path: str | Path, *, subset: bool = False
) -> None:
    """Load the files in ``raw_dir``, check them and write one parquet.

    The dataset's loader is a module with a function ``load(folder)`` that returns a data frame. A table of
    images has a unique ``key``. Examples that cannot be used are reported on standard error and recorded in
    the parquet's metadata (``attrs["left_out"]`` when pandas reads it).

    Parameters
    ----------
    subset
        Accept a partial copy: the published counts are not compared.

    Raises
    ------
    UserError
        If there is no loader, it fails, a cell or a count is not as published, or more than ``MAX_LEFT_OUT``
        of the examples cannot be used. Nothing is written then.
    """
    frame = _load(dataset, raw_dir)
    check_columns(frame, dataset)
    if "key" in frame:
        check_keys(frame, name=dataset.id)
    _report_left_out(frame, dataset.id)
    if not subset:
        check_expected(frame, dataset.expected, name=dataset.id)
    write_parquet(out_path, frame)


def find_loader(dataset: Dataset) -> str:
    """Return the name of the module that loads ``dataset``.

    Raises
    ------
    UserError
        If there is no such module, or it is not valid Python.
    """
    name = dataset.loader_module
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # a package that the module would be in
        spec = None
    if spec is None:
        raise UserError(
            f"dataset {dataset.id!r}: no module {name} with load(folder) to read it; write it, or name "
            "another loader in resources/datasets.yaml"
        )
    if spec.origin is not None and spec.origin.endswith(".py"):
        try:
            ast.parse(Path(spec.origin).read_bytes())
        except SyntaxError as error:
            raise UserError(f"{spec.origin}, line {error.lineno}: not valid Python: {error.msg}") from None
    return name


def _load(dataset: Dataset, raw_dir: str | Path) -> pd.DataFrame:
    """The data frame of the dataset's loader."""
    name = find_loader(dataset)
    try:
        # Imported by name, so that a job imports its own dataset's loader only.
        load = getattr(importlib.import_module(name), "load", None)
        frame = load(raw_dir) if callable(load) else None
    except Exception as error:
        if isinstance(error, UserError) or getattr(error, "errno", None) in REMEDIES:
            raise
        traceback.print_exc()  # into the log of the job
        raise UserError(_loader_failure(dataset, name, error)) from error
    if not callable(load):
        raise UserError(f"dataset {dataset.id!r}: {name} has no function load(folder); write it")
    if not isinstance(frame, pd.DataFrame):
        raise UserError(
            f"dataset {dataset.id!r}: load of {name} returned {type(frame).__name__}; "
            "expected a data frame with a row for each example"
        )
    return frame


def _loader_failure(dataset: Dataset, name: str, error: Exception) -> str:
    """The dataset, the loader's file and the last line there that the error passed through."""
    file = importlib.util.find_spec(name).origin
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    place = f"{file}, line {lines[-1]}" if lines else file
    reason = " ".join(str(error).split())
    return (
        f"dataset {dataset.id!r}: its loader failed ({place}): {type(error).__name__}: {reason}; "
        "correct the loader or the files"
    )


def _report_left_out(frame: pd.DataFrame, name: str) -> None:
    for reason, names in left_out(frame).items():
        share = len(names) / (len(frame) + len(names))
        message = f"{name}: {len(names):,} left out ({share:.2%}) for {reason}: {', '.join(names[:5])}"
        if share > MAX_LEFT_OUT:
            raise UserError(f"{message}; more than {MAX_LEFT_OUT:.0%} is damage: fetch the dataset again")
        print(f"clipfair: {message}", file=sys.stderr)
