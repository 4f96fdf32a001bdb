"""The number of examples in each intersection of groups; some have only a few."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.markdown import percent
from clipfair.tables.fairclip.cohorts import UNKNOWN, Cohort, count_cohorts

INTRO = (
    "Examples with every attribute known, by intersection of all attributes, over all splits and in the "
    "reported split (test; for FairFace, which has none, val); and the share of them with the label "
    "({label}). Intersections without examples are not listed."
)


def build(tables: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """Count the intersections of all attributes.

    Parameters
    ----------
    tables
        Dataset -> its prepared table.

    Returns
    -------
    One row per dataset and intersection that occurs (``white, female, non-hispanic, english``), most
    frequent first: ``attributes``, ``n``, ``n_test`` (in the reported split), ``positive`` (share
    with the label), ``label``; and the page.
    """
    return count_cohorts(tables, _count, title="Intersections of attributes", intro=INTRO, show=_show)


def _count(cohort: Cohort) -> pd.DataFrame:
    examples = cohort.examples
    known = examples[(examples[cohort.attributes] != UNKNOWN).all(axis=1)]
    cells = known.assign(is_test=known["split"] == cohort.splits[-1]).groupby(cohort.attributes)
    counts = cells.agg(n=("positive", "size"), n_test=("is_test", "sum"), positive=("positive", "mean"))
    counts = counts.reset_index().sort_values(["n", *cohort.attributes], ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "attributes": ", ".join(cohort.attributes),
            "intersection": counts[cohort.attributes].agg(", ".join, axis=1),
            "n": counts["n"],
            "n_test": counts["n_test"],
            "positive": counts["positive"],
        }
    )


def _show(counts: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    head = [counts["attributes"].iloc[0], "n", "n in the split reported", "with label (%)"]
    rows = [
        [row.intersection, f"{row.n:,}", f"{row.n_test:,}", percent(row.positive)]
        for row in counts.itertuples()
    ]
    return head, rows
