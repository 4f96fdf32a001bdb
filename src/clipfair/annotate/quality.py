"""Precision and recall of annotations against known labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from clipfair.annotate.labels import read_labels
from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.data.annotation_columns import MODALITIES


def measure_quality(
    annotations: Sequence[str | Path],
    truth: str | Path,
    out_path: str | Path,
    *,
    group: str | None = None,
    mismatched: str | None = None,
    categories: Sequence[str] = (),
    flags: Mapping[str, str] | None = None,
) -> None:
    """Compare the annotations of shards with known labels and write the result as JSON.

    ``values`` is a list of the rows of :func:`annotation_quality`; ``similarity_auc`` is the
    :func:`similarity_auc`, null without ``mismatched``.

    Parameters
    ----------
    annotations
        Parquet files that :func:`clipfair.annotate.shards.annotate_shard` wrote.
    truth
        A parquet with ``key`` and columns of 0 and 1, ``modality.attribute=value``.
    group
        The column of the truth with each example's group, empty for none.
    mismatched
        The column of 0 and 1 or booleans that is true if the caption belongs to another image.
    categories, flags
        Further columns of the truth about images, as in :func:`read_labels`.

    Raises
    ------
    UserError
        As :func:`annotation_quality` and :func:`read_labels`; if the truth lacks a column.
    """
    shown = read_labels(truth, categories=categories, flags=flags).set_index("key").add_prefix("image.")
    known = pd.read_parquet(truth)
    for name in filter(None, (group, mismatched)):
        if name not in known:
            raise UserError(f"{truth}: no column {name}; it has {', '.join(known.columns)}")
    groups = None if group is None else known[group]
    found = pd.concat([pd.read_parquet(path) for path in annotations], ignore_index=True)
    real = known.drop(columns=shown.columns, errors="ignore").join(shown, on="key")
    rows = annotation_quality(found, real, groups=groups)
    auc = None
    if mismatched is not None:
        auc = similarity_auc(found["similarity"], known.set_index("key")[mismatched].loc[found["key"]])
    # JSON has no NaN: undefined values are null.
    values = rows.astype(object).where(rows.notna(), None).to_dict("records")
    write_json(out_path, {"values": values, "similarity_auc": auc})


def similarity_auc(similarity: np.ndarray, mismatched: np.ndarray) -> float:
    """Return the area under the ROC curve: P(a matched pair is more similar than a mismatched one).

    0.5 is chance. 1 cannot be reached if some mismatched captions also describe their images.

    Parameters
    ----------
    similarity
        (n,) cosine similarities of image and caption (section 4.4).
    mismatched
        (n,) true if the caption belongs to another image.
    """
    return float(roc_auc_score(~np.asarray(mismatched, dtype=bool), similarity))


def annotation_quality(
    annotations: pd.DataFrame, truth: pd.DataFrame, *, groups: pd.Series | None = None
) -> pd.DataFrame:
    """Return precision TP / (TP + FP) and recall TP / (TP + FN) of every annotated value and modality.

    Parameters
    ----------
    annotations
        ``key`` and booleans ``modality.attribute=value``.
    truth
        ``key`` and columns of the same names, 0 and 1 or booleans. Columns in only one of both frames are
        not compared.
    groups
        The group of each row of ``truth``, for instance the perceived gender; rows without a group count
        in ``all`` only.

    Returns
    -------
    One row for each column and group, ``all`` first: ``modality, value, group, n, true, annotated,
    precision, recall``, the value as ``attribute=value``. Precision or recall of no example is NaN.

    Raises
    ------
    UserError
        If a key of the annotations is not in the truth, a key is repeated, or no column is in both.
    """
    shared = [column for column in annotations.columns if column != "key" and _is_compared(column, truth)]
    if not shared:
        raise UserError("annotations and truth share no column: expected names such as text.gender=man")
    _check_keys(annotations["key"], truth["key"])
    real = truth.set_index("key")[shared].astype(bool)
    labels = pd.Series(pd.NA, index=real.index) if groups is None else groups.set_axis(real.index)
    found = annotations.set_index("key")[shared]
    real, labels = real.loc[found.index], labels.loc[found.index]
    members = {"all": np.ones(len(found), dtype=bool)}
    members |= {
        name: (labels == name).fillna(False).to_numpy(bool) for name in sorted(labels.dropna().unique())
    }
    rows = [
        (*column.split(".", 1), name, *_agreement(found.loc[member, column], real.loc[member, column]))
        for column in shared
        for name, member in members.items()
    ]
    columns = ["modality", "value", "group", "n", "true", "annotated", "precision", "recall"]
    return pd.DataFrame(rows, columns=columns)


def _is_compared(column: str, truth: pd.DataFrame) -> bool:
    return column.startswith(tuple(f"{modality}." for modality in MODALITIES)) and column in truth


def _check_keys(annotated: pd.Series, true: pd.Series) -> None:
    for what, keys in (("annotations", annotated), ("truth", true)):
        twice = keys.duplicated()
        if twice.any():
            raise UserError(f"{what}: duplicate key {keys[twice].iloc[0]!r}; keys must be unique")
    unknown = ~annotated.isin(true)
    if unknown.any():
        raise UserError(
            f"key {annotated[unknown].iloc[0]!r} is annotated but not in the truth "
            f"({unknown.sum()} such keys); give the truth of the same examples"
        )


def _agreement(found: pd.Series, real: pd.Series) -> tuple[int, int, int, float, float]:
    both, annotated, true = int((found & real).sum()), int(found.sum()), int(real.sum())
    precision = both / annotated if annotated else float("nan")
    recall = both / true if true else float("nan")
    return len(found), true, annotated, precision, recall
