"""Figure 10 of CLIP the Bias: pseudo object labels before and after debiasing (Appendix A.6)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.common.annotations import find_columns, read_annotations
from clipfair.tables.common.markdown import markdown_table, number, percent


def build(
    annotations: Sequence[str], keep_lists: Sequence[str], *, attribute: str = "object", top: int = 50
) -> tuple[pd.DataFrame, str]:
    """The change in the shares of the most frequent object labels from all examples to those kept.

    Parameters
    ----------
    annotations
        Parquet files with ``key`` and booleans ``image.<attribute>=label``, of all examples.
    keep_lists
        Parquet files with the ``key`` of every example kept.
    attribute
        Of the labels.
    top
        The number of labels: the most frequent before; ties in alphabetical order.

    Returns
    -------
    One row per label, the most frequent first: ``label, n_before, share_before, n_after, share_after,
    relative_change``. A share is of the examples, in [0, 1]; the relative change is share_after /
    share_before - 1, NaN for a label that never occurs. Then the page.

    Raises
    ------
    UserError
        If a file is damaged, lacks a column or has no rows; if a key is kept twice or is not annotated.
    """
    labels = find_columns(annotations, attribute, modalities=["image"])[attribute]
    kept = _kept_keys(keep_lists)
    columns = [label.name for label in labels]
    n_before, n_after = np.zeros(len(labels), dtype=int), np.zeros(len(labels), dtype=int)
    examples, found = 0, 0
    for frame in read_annotations(annotations, ["key", *columns]):
        is_kept = kept.get_indexer(frame["key"]) >= 0
        shown = frame[columns].to_numpy(bool)
        n_before += shown.sum(axis=0)
        n_after += shown[is_kept].sum(axis=0)
        examples += len(frame)
        found += int(is_kept.sum())
    if found != len(kept):
        raise UserError(
            f"{keep_lists[0]}: {len(kept)} keys are kept but {found} of the annotations have one of them; "
            "give the annotations that the keep-lists were made from"
        )
    counts = pd.DataFrame(
        {"label": [label.value for label in labels], "n_before": n_before, "n_after": n_after},
    )
    frame = _shares(counts, before=examples, after=found).head(top)
    return frame, _page(frame, before=examples, after=found)


def _kept_keys(paths: Sequence[str]) -> pd.Index:
    keys = pd.Index(pd.concat([frame["key"] for frame in read_annotations(paths, ["key"])]))
    if not keys.is_unique:
        twice = keys[keys.duplicated()][0]
        raise UserError(f"{paths[0]}: key {twice!r} is kept twice; a keep-list has each example once")
    return keys


def _shares(counts: pd.DataFrame, *, before: int, after: int) -> pd.DataFrame:
    frame = counts.sort_values(["n_before", "label"], ascending=[False, True], ignore_index=True)
    frame.insert(2, "share_before", frame["n_before"] / before)
    frame["share_after"] = frame["n_after"] / after
    change = frame["share_after"] / frame["share_before"] - 1
    return frame.assign(relative_change=change.where(frame["n_before"] > 0))


def _page(frame: pd.DataFrame, *, before: int, after: int) -> str:
    rows = [
        [
            row.label,
            percent(row.share_before, decimals=2),
            percent(row.share_after, decimals=2),
            number(100 * row.relative_change, decimals=1, sign="+"),
        ]
        for row in frame.itertuples()
    ]
    lines = [
        "# Figure 10 of CLIP the Bias: object labels before and after debiasing",
        "",
        f"Share of the examples whose image has the pseudo label, among all {before} and among the {after} "
        f"kept; the {len(frame)} most frequent labels. The paper finds about 25% fewer with the label "
        '"adult" and little change otherwise.',
        "",
        *markdown_table(["label", "before (%)", "after (%)", "relative change (%)"], rows),
    ]
    return "\n".join(lines) + "\n"
