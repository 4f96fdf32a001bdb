"""How well the annotations agree with the truth, where it is known (Appendix A.1; no table of the paper)."""

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
        (``attribute=value``), ``group`` (``all`` first), ``n, true, annotated, precision, recall``, a share
        of nothing being null; and ``similarity_auc``, null if it is not known.

    Returns
    -------
    One line per modality, attribute, value and group, the value ``all`` first, which pools the
    decisions on all values: ``modality, attribute, value, group, n, true, annotated, correct,
    precision, recall``. Precision is correct / annotated and recall correct / true, in [0, 1],
    undefined for a share of nothing. Then the page, which shows the pooled lines, the values in the
    group ``all``, and how well the similarity of image and text tells mismatched pairs.

    Raises
    ------
    UserError
        If the record is empty.
    """
    content = read_json(record)
    lines = pd.DataFrame(content["values"])
    if lines.empty:
        raise UserError(f"{record}: no annotation was compared with the truth; make the record again")
    lines[["attribute", "value"]] = lines["value"].str.split("=", n=1, expand=True)
    # Precision times its denominator is a whole number up to rounding.
    lines["correct"] = (lines["precision"] * lines["annotated"]).fillna(0.0).round().astype(int)
    pooled = lines.groupby(["modality", "attribute", "group"], sort=False)[COUNTS].sum().reset_index()
    frame = pd.concat([pooled.assign(value=ALL), lines], ignore_index=True)
    frame["precision"] = _ratio(frame["correct"], frame["annotated"])
    frame["recall"] = _ratio(frame["correct"], frame["true"])
    frame = _in_order(frame, pooled)
    columns = ["modality", "attribute", "value", "group", *COUNTS, "precision", "recall"]
    return frame[columns], _page(frame, content["similarity_auc"])


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    return (part / whole).where(whole > 0)


def _in_order(frame: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """Attributes together, as they first occur; the concatenation has the pooled lines first in each."""
    blocks = {block: place for place, block in enumerate(_blocks(pooled))}
    place = [blocks[block] for block in zip(frame["modality"], frame["attribute"], strict=True)]
    return frame.iloc[pd.Series(place).argsort(kind="stable")].reset_index(drop=True)


def _blocks(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(dict.fromkeys(zip(frame["modality"], frame["attribute"], strict=True)))


def _page(frame: pd.DataFrame, similarity_auc: float | None) -> str:
    groups = list(frame["group"].unique())
    cells = {(line.modality, line.attribute, line.value, line.group): line for line in frame.itertuples()}
    pooled = [
        [f"{modality}: {attribute}"]
        + [_cell(cells.get((modality, attribute, ALL, group))) for group in groups]
        for modality, attribute in _blocks(frame)
    ]
    single = frame[(frame["group"] == ALL) & (frame["value"] != ALL)]
    values = [
        [f"{line.modality}: {line.attribute}", line.value, str(line.true), _cell(line)]
        for line in single.itertuples()
    ]
    lines = [
        "# Quality of the annotations",
        "",
        "Precision / recall against the known truth, in percent; a dash is a share of nothing. The "
        "decisions on all values of an attribute are pooled, within each group of the true sensitive "
        "attribute.",
        "",
        *markdown_table(["annotations", *groups], pooled),
        *_similarity(similarity_auc),
        "",
        "## By value",
        "",
        *markdown_table(["annotations", "value", "truly so", "precision / recall"], values),
    ]
    return "\n".join(lines) + "\n"


def _similarity(auc: float | None) -> list[str]:
    if auc is None:
        return []
    return [
        "",
        "The similarity of image and text, by which the quality filter of section 4.4 goes, is larger for a "
        f"pair that belongs together than for one whose text is another image's with probability {auc:.3f} "
        "(0.5: it tells nothing; 1 cannot be reached where another's text also fits).",
    ]


def _cell(line) -> str:
    return "" if line is None else f"{percent(line.precision)} / {percent(line.recall)}"
