"""Published predictions: the scores of every evaluated run in few bytes (docs/predictions.md).

The runs that are evaluated on the same examples share two files: one row per example with its key, part,
label and groups, and for each run a column of margins, as codes of 16 bits; and the keys of the test examples
with a column of codes of the scores with the own text for each run. Codes have the order and the ties of the
scores, so whatever depends on the order alone is exact.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.io import atomic_folder, read_json

KIND = "threshold_free"
RUNS = "runs.csv"
METRICS = "metrics.parquet"
SCORES = ("margin", "score")
ENDING, OWN_ENDING = ".parquet", "-own.parquet"
LEVELS = 2**16


def publish_predictions(folders: Iterable[str], out_dir: str) -> None:
    """Write the predictions and metrics of all evaluations of the kind threshold_free.

    Parameters
    ----------
    folders
        Folders of evaluations, one per batch, with ``metrics.json`` and ``scores.parquet`` in
        ``seed~<s>/on~<evaluation>``.
    out_dir
        The folder that is written: two files for each set of examples, ``runs.csv`` and ``metrics.parquet``.
        ``runs.csv`` has a row for each run and evaluation: the levels of the run, ``file`` with its column
        ``margin`` and ``own_file`` with its column ``score``, ``half``, the smallest code of a margin that
        predicts 1 at a probability of one half, and the range of either score, for :func:`decode`.
        ``metrics.parquet`` has every row of ``metrics.json``; its column ``run`` is the number of the row of
        ``runs.csv``, from 0.

    Raises
    ------
    UserError
        If the scores of an evaluation are not there.
    """
    rows, metrics, numbers = [], [], Counter()
    with atomic_folder(out_dir) as folder:
        for evaluation, runs in _group_by_examples(folders).items():
            name = evaluation[0]
            file = f"{name}-{numbers[name]}{ENDING}"
            numbers[name] += 1
            columns, described = _encode_runs([path for _, path in runs])
            files = {"file": file} | _write_files(folder / file, columns)
            for (record, _), about in zip(runs, described, strict=True):
                metrics += [{"run": len(rows), **row} for row in record["rows"]]
                rows.append({"evaluation": name, **record["run"], **files, **about})
        pd.DataFrame(rows).to_csv(folder / RUNS, index=False)
        _as_columns(metrics).to_parquet(folder / METRICS, index=False, compression="zstd")


def _group_by_examples(folders: Iterable[str]) -> dict[tuple[str, str], list[tuple[Mapping, Path]]]:
    """Evaluation and digest of its data -> the record of each run, with the file of its scores.

    They are in the order of their first seeds, so the draws of a family of datasets are in their order.
    """
    found: dict[tuple[str, str], list[tuple[Mapping, Path]]] = {}
    for folder in folders:
        for path in sorted(Path(folder).glob("seed~*/on~*/metrics.json")):
            record = read_json(path)
            if record["kind"] == KIND:
                examples = record["evaluation"], record["data_digest"]
                found.setdefault(examples, []).append((record, _scores_of(path)))
    return dict(sorted(found.items(), key=lambda item: min(one["run"]["seed"] for one, _ in item[1])))


def _as_columns(metrics: list[Mapping]) -> pd.DataFrame:
    """Rows of metrics.json as columns of few bytes."""
    words = dict.fromkeys(("metric", "label", "group", "reason"), "category")
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return (
        pd.DataFrame(metrics)
        .drop(columns="examples")
        .astype(words | numbers | {"run": "int32", "n": "int32"})
    )


def _scores_of(record: Path) -> Path:
    path = record.with_name("scores.parquet")
    if not path.is_file():
        raise UserError(
            f"{path}: not there, since dvc pull does not bring it; delete its folder and run Snakemake again"
        )
    return path


def _encode_runs(files: list[Path]) -> tuple[pd.DataFrame, list[dict]]:
    """The examples with the codes of all runs, and the columns and ranges of each run."""
    first = pd.read_parquet(files[0])
    columns = {name: first[name] for name in first.columns if name not in (*SCORES, "examples")}
    described = []
    for number, path in enumerate(files):
        scores = pd.read_parquet(path, columns=[name for name in SCORES if name in first])
        about = {}
        for name, codes, low, high in _encoded(scores):
            about |= {name: f"{name}_{number}", f"{name}_low": low, f"{name}_high": high}
            columns[about[name]] = codes
        selected = columns[about["margin"]][scores["margin"] >= 0]
        described.append({**about, "half": selected.min() if len(selected) else LEVELS})
    return pd.DataFrame(columns), described


def _encoded(scores: pd.DataFrame) -> Iterator[tuple[str, pd.Series, float, float]]:
    """The codes of each score; missing where there is no score."""
    for name, values in scores.items():
        known = values.notna()
        codes, low, high = encode(values[known].to_numpy(np.float64))
        column = pd.Series(codes, index=values.index[known], dtype="UInt16").reindex(values.index)
        yield name, column if not known.all() else column.astype(np.uint16), low, high


def _write_files(path: Path, columns: pd.DataFrame) -> dict[str, str]:
    """Write the margins, and beside them the scores with the own text, if there are any; return that name."""
    own = [name for name in columns if name.startswith("score_")]
    _write(path, columns.drop(columns=own))
    if not own:
        return {}
    own_file = path.with_name(path.name.removesuffix(ENDING) + OWN_ENDING)
    _write(own_file, columns.loc[columns[own[0]].notna(), ["key", *own]])
    return {"own_file": own_file.name}


def _write(path: Path, columns: pd.DataFrame) -> None:
    """Write the file of some runs. With their two bytes apart, codes take half of the space."""
    codes = [name for name in columns if name.startswith(tuple(f"{score}_" for score in SCORES))]
    columns.to_parquet(
        path,
        index=False,
        compression="zstd",
        use_dictionary=[name for name in columns if name not in codes],
        column_encoding=dict.fromkeys(codes, "BYTE_STREAM_SPLIT"),
    )


def encode(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Codes of 16 bits with the order and the ties of (n,) values; at most 65,536 of them may be distinct.

    The code of the i-th smallest value, i from 0, is i plus its place between the smallest and the largest
    value in units of what is left of the 16 bits.

    Returns
    -------
    (n,) codes, and the smallest and the largest value.
    """
    distinct, places = np.unique(values, return_inverse=True)
    low, high = distinct[0], distinct[-1]
    room = LEVELS - len(distinct)
    if room < 0:
        raise ValueError(f"{len(distinct):,} different scores; 16 bits have {LEVELS:,}")
    shares = (distinct - low) / (high - low) if high > low else np.zeros(1)
    codes = np.arange(len(distinct)) + np.rint(room * shares).astype(int)
    return codes[places].astype(np.uint16), float(low), float(high)


def decode(codes: np.ndarray, low: float, high: float) -> np.ndarray:
    """The values of all codes of a column; (n,).

    The error is at most half of (high - low) / (65,536 - the number of distinct values).
    """
    distinct, places = np.unique(np.asarray(codes, dtype=np.int64), return_inverse=True)
    room = max(1, LEVELS - len(distinct))
    return (low + (distinct - np.arange(len(distinct))) / room * (high - low))[places]
