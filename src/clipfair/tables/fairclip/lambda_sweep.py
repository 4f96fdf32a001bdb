"""The weight λ of the fairness loss over ten orders of magnitude, compared with fine-tuning without it."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.measures import DISTANCES, FAIRNESS
from clipfair.tables.fairclip.pages import finish_table
from clipfair.tables.fairclip.selection import (
    add_mean_distances,
    final_values,
    on_trained_attribute,
    trained_attributes,
)
from clipfair.tables.fairclip.summary import summarise

INTRO = (
    "Each method on the attribute that it is trained for; distances, of diag(L), are means over its groups "
    "(scale-free: the exact one over the variance of the scores). Mean ± standard deviation over seeds "
    "(ddof 1). No readable values of the reproduction's sweep are published."
)
MEASURES = (*FAIRNESS, "accuracy", "selection_rate", *DISTANCES)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """Every λ of every method, and the methods without λ (0), which the figure shows as a band.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`).

    Returns
    -------
    The table of :func:`~.summary.summarise`, its comparison (None if nothing is published), the page.
    """
    values = add_mean_distances(final_values(records, settings, "group_fairness"))
    table = summarise(values, settings, MEASURES)
    trained_for = set().union({""}, *map(trained_attributes, table["attr"]))
    kept = on_trained_attribute(table) & table["attribute"].isin(trained_for)
    return finish_table(
        table[kept].reset_index(drop=True),
        published,
        settings,
        title="The weight λ of the fairness loss",
        intro=INTRO,
        blocks=[MEASURES],
        groups=False,
    )
