"""Prepared tables of the FairCLIP datasets: who is in them, by split, attribute and label."""

from dataclasses import dataclass

import pandas as pd

from clipfair.core.errors import UserError

UNKNOWN = "unknown"
SPLITS = ("train", "val", "test")
# Whichever a dataset has: the label with the value that counts, then the examples that the papers use.
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
        Those that the dataset has, in order; the last is the one that is reported.
    label
        What ``positive`` says.
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
            "Harvard-FairVLMed and FairFace have; name such a dataset in the table's line"
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
