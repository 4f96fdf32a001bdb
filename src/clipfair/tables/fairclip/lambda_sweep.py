"""The weight of the fairness loss over ten orders of magnitude, beside fine-tuning without it."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.rows import (
    DISTANCES,
    FAIRNESS,
    attribute_blocks,
    beside_published,
    final_values,
    make_page,
    on_target,
    summarise,
    targets,
    with_mean_distances,
)

INTRO = (
    "Each method on the attribute that it is trained for; distances, of diag(L), are means over its groups "
    "(scale-free: the exact one over the variance of the scores). Mean ± standard deviation over seeds "
    "(ddof 1). The reproduction prints no values of its sweep that could be read."
)
MEASURES = (*FAIRNESS, "accuracy", "selection_rate", *DISTANCES)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """Every λ of every method, and the methods without λ (0), which the figure shows as a band.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.rows`).

    Returns
    -------
    The table of :func:`~.rows.summarise`, the same beside the published values (None if
    there are none), the page.
    """
    values = with_mean_distances(final_values(records, settings, "group_fairness"))
    table = summarise(values, settings, MEASURES)
    trained_for = set().union({""}, *map(targets, table["attr"]))
    shown = on_target(table) & table["attribute"].isin(trained_for)
    table = table[shown].reset_index(drop=True)
    own, compared = beside_published(table, published, settings)
    of_all = own[own["group"] == ""]
    title = "The weight λ of the fairness loss"
    return own, compared, make_page(title, INTRO, of_all, settings, attribute_blocks(of_all, MEASURES))
