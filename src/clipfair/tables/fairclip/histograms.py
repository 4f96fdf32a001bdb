"""Histograms of age and of the length of the notes, by split (FairVLMed; Luo et al. 2024)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.common.markdown import markdown_table, percent
from clipfair.tables.fairclip.cohorts import SPLITS, USED

# Measure -> the width of a bin.
WIDTHS = {"age (years)": 10, "note (words)": 25}
INTRO = (
    "Examples by age and by the number of words of the complete note, and their share of the split, among "
    "the examples that the papers use. A bin contains its lower end."
)


def build(tables: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """Count the examples of every split by age and note length.

    Parameters
    ----------
    tables
        Dataset -> its prepared table, with ``split``, ``age`` and ``note``.

    Returns
    -------
    One row per dataset, measure, split and bin: ``from`` (inclusive), ``to``, ``n``, ``share`` of the
    examples with a value; and the page, which has mean and standard deviation (ddof 1), too.

    Raises
    ------
    UserError
        If a table has no ages or notes.
    """
    frames, lines = [], ["# Age and length of the notes", "", INTRO]
    for dataset, path in tables.items():
        values = _values(path)
        counts = _count(values).assign(dataset=dataset)
        frames.append(counts[["dataset", "measure", "split", "from", "to", "n", "share"]])
        lines += ["", f"## {dataset}", "", *_summary(values)]
        for measure, part in counts.groupby("measure", sort=False):
            lines += ["", *_page(measure, part)]
    return pd.concat(frames, ignore_index=True), "\n".join(lines) + "\n"


def _values(path: str) -> pd.DataFrame:
    """The split and the measures of the used examples."""
    table = pd.read_parquet(path)
    missing = [name for name in ("age", "note") if name not in table]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; name a dataset of notes in the table's entry"
        )
    for name in USED:
        if name in table:
            table = table[table[name]]
    measures = {"age (years)": table["age"], "note (words)": table["note"].str.split().str.len()}
    return pd.DataFrame({"split": table["split"].astype("str"), **measures})


def _count(values: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for measure, width in WIDTHS.items():
        known = values.dropna(subset=measure)
        edges = np.arange(0, known[measure].max() + width + 1, width)
        for split in _splits(values):
            counts, _ = np.histogram(known.loc[known["split"] == split, measure], edges)
            total = max(1, counts.sum())
            rows += [
                {
                    "measure": measure,
                    "split": split,
                    "from": low,
                    "to": low + width,
                    "n": n,
                    "share": n / total,
                }
                for low, n in zip(edges.astype(int).tolist(), counts.tolist(), strict=False)
            ]
    return pd.DataFrame(rows)


def _splits(values: pd.DataFrame) -> list[str]:
    return [split for split in SPLITS if (values["split"] == split).any()]


def _summary(values: pd.DataFrame) -> list[str]:
    rows = []
    for measure in WIDTHS:
        groups = values.groupby("split")[measure]
        cells = [f"{groups.mean()[split]:.1f} ± {groups.std()[split]:.1f}" for split in _splits(values)]
        rows.append([measure, *cells])
    return markdown_table(["mean ± deviation", *_splits(values)], rows)


def _page(measure: str, part: pd.DataFrame) -> list[str]:
    splits = list(dict.fromkeys(part["split"]))
    rows = []
    for (low, high), cells in part.groupby(["from", "to"], sort=False):
        shares = zip(cells["n"], cells["share"], strict=True)
        rows.append([f"{low} to {high}", *(f"{n:,} ({percent(share)}%)" for n, share in shares)])
    return markdown_table([measure, *(f"{split}: n (share)" for split in splits)], rows)
