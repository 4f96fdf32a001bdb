"""Agreement of the annotations with the truth, where it is known (Appendix A.1; no table of the paper)."""

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.io import read_json
from clipfair.tables.common.markdown import markdown_table, percent

COUNTS = ["n", "true", "annotated", "correct"]
ALL = "all"


def build(record: str) -> tuple[pd.DataFrame, str]:
    """Precision and recall by modality, attribute, value and group.

    Parameters
    ----------
    record
        JSON with ``values``, a list with an object per column and group: ``modality, value``
        (``attribute=value``), ``group`` (``all`` first), ``n, true, annotated, precision, recall`` (null if
        undefined); and ``similarity_auc``, null if it is not known.

    Returns
    -------
    One row per modality, attribute, value and group, the value ``all`` first, which pools the
    decisions on all values: ``modality, attribute, value, group, n, true, annotated, correct,
    precision, recall``. Precision is correct / annotated and recall correct / true, in [0, 1], NaN if the
    denominator is zero. Then the page, which shows the pooled rows, the values in the group ``all``, and
    how well the similarity of image and text distinguishes mismatched pairs.

    Raises
    ------
    UserError
        If the record is empty.
    """
    content = read_json(record)
    values = pd.DataFrame(content["values"])
    if values.empty:
        raise UserError(f"{record}: no annotation was compared with the truth; make the record again")
    values[["attribute", "value"]] = values["value"].str.split("=", n=1, expand=True)
    # Precision times its denominator is a whole number up to rounding.
    values["correct"] = (values["precision"] * values["annotated"]).fillna(0.0).round().astype(int)
    pooled = values.groupby(["modality", "attribute", "group"], sort=False)[COUNTS].sum().reset_index()
    frame = pd.concat([pooled.assign(value=ALL), values], ignore_index=True)
    frame["precision"] = _ratio(frame["correct"], frame["annotated"])
    frame["recall"] = _ratio(frame["correct"], frame["true"])
    frame = _in_order(frame, pooled)
    columns = ["modality", "attribute", "value", "group", *COUNTS, "precision", "recall"]
    return frame[columns], _page(frame, content["similarity_auc"])


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    return (part / whole).where(whole > 0)


def _in_order(frame: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """Sort by attribute, in order of first occurrence; the pooled rows stay first in each."""
    blocks = {block: place for place, block in enumerate(_blocks(pooled))}
    place = [blocks[block] for block in zip(frame["modality"], frame["attribute"], strict=True)]
    return frame.iloc[pd.Series(place).argsort(kind="stable")].reset_index(drop=True)


def _blocks(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(dict.fromkeys(zip(frame["modality"], frame["attribute"], strict=True)))


def _page(frame: pd.DataFrame, similarity_auc: float | None) -> str:
    groups = list(frame["group"].unique())
    cells = {(row.modality, row.attribute, row.value, row.group): row for row in frame.itertuples()}
    pooled = [
        [f"{modality}: {attribute}"]
        + [_cell(cells.get((modality, attribute, ALL, group))) for group in groups]
        for modality, attribute in _blocks(frame)
    ]
    single = frame[(frame["group"] == ALL) & (frame["value"] != ALL)]
    values = [
        [f"{row.modality}: {row.attribute}", row.value, str(row.true), _cell(row)]
        for row in single.itertuples()
    ]
    lines = [
        "# Quality of the annotations",
        "",
        "Precision / recall against the known truth, in percent; a dash means undefined. The decisions on "
        "all values of an attribute are pooled, within each group of the true sensitive attribute.",
        "",
        *markdown_table(["annotations", *groups], pooled),
        *_similarity(similarity_auc),
        "",
        "## By value",
        "",
        *markdown_table(["annotations", "value", "true", "precision / recall"], values),
    ]
    return "\n".join(lines) + "\n"


def _similarity(auc: float | None) -> list[str]:
    if auc is None:
        return []
    return [
        "",
        "The similarity of image and text, which the quality filter of section 4.4 uses, is larger for a "
        f"matched pair than for one with the text of another image with probability {auc:.3f} (0.5: no "
        "information; 1 is not reached if another image's text fits, too).",
    ]


def _cell(cell) -> str:
    return "" if cell is None else f"{percent(cell.precision)} / {percent(cell.recall)}"
