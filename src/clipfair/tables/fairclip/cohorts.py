"""Prepared tables of the FairCLIP datasets: their examples by split, attribute and label; their counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.common.markdown import markdown_table

UNKNOWN = "unknown"
SPLITS = ("train", "val", "test")
# The label column of each dataset with its positive value, and the columns that mark the used examples.
LABELS = {"glaucoma": 1, "gender": "Male"}
USED = ("used", "fairclip")


@dataclass(frozen=True)
class Cohort:
    """The examples of a dataset that the papers use.

    Attributes
    ----------
    examples
        ``split``, a column of text per attribute (``unknown`` where missing), ``positive`` (bool).
    attributes
        The sensitive ones, in the table's order.
    groups
        Attribute -> its groups in their order, without ``unknown``.
    splits
        The splits of the dataset, in order; the last one is reported.
    label
        The name of the label that ``positive`` refers to.
    """

    examples: pd.DataFrame
    attributes: list[str]
    groups: dict[str, list[str]]
    splits: list[str]
    label: str


def read_cohort(path: str) -> Cohort:
    """Read a prepared table.

    Raises
    ------
    UserError
        If it has no label that is known, no split or no attribute.
    """
    table = pd.read_parquet(path)
    label = next((name for name in LABELS if name in table), None)
    categories = [name for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)]
    attributes = [name for name in categories if name not in ("split", label)]
    if label is None or "split" not in table or not attributes:
        raise UserError(
            f"{path}: expected a split, a label ({' or '.join(LABELS)}) and categorical attributes, as "
            "in Harvard-FairVLMed and FairFace; name such a dataset in the table's entry"
        )
    for name in USED:
        if name in table:
            table = table[table[name]]
    examples = table[["split", *attributes]].astype(object).fillna(UNKNOWN)
    value = LABELS[label]
    return Cohort(
        examples=examples.assign(positive=(table[label] == value).to_numpy()).reset_index(drop=True),
        attributes=attributes,
        groups={name: [str(group) for group in table[name].cat.categories] for name in attributes},
        splits=[split for split in SPLITS if (examples["split"] == split).any()],
        label=label if value == 1 else f"{label} {value}",
    )


def count_cohorts(
    tables: Mapping[str, str],
    count: Callable[[Cohort], pd.DataFrame],
    *,
    title: str,
    intro: str,
    show: Callable[[pd.DataFrame], tuple[Sequence[str], Sequence[Sequence[str]]]],
) -> tuple[pd.DataFrame, str]:
    """Count the examples of several datasets.

    Parameters
    ----------
    tables
        Dataset -> its prepared table.
    count
        Returns the counts of a cohort, one row each.
    intro
        The text above the sections; ``{label}`` in it stands for the labels.
    show
        Returns the head and the rows of a dataset's section, from its counts.

    Returns
    -------
    The counts of all datasets, with the columns ``dataset`` (first) and ``label`` (last), and the page.
    """
    parts = []
    for dataset, path in tables.items():
        cohort = read_cohort(path)
        counts = count(cohort)
        counts.insert(0, "dataset", dataset)
        parts.append(counts.assign(label=cohort.label))
    frame = pd.concat(parts, ignore_index=True)
    lines = [f"# {title}", "", intro.format(label=", ".join(frame["label"].unique()))]
    for dataset, part in frame.groupby("dataset", sort=False):
        lines += ["", f"## {dataset}", "", *markdown_table(*show(part))]
    return frame, "\n".join(lines) + "\n"
