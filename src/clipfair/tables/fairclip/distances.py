"""Table 5 of the FairCLIP reproduction: the distance of every group's scores to everybody's, by method."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.rows import (
    DISTANCES,
    SQUARE_DISTANCES,
    attribute_blocks,
    beside_published,
    final_values,
    make_page,
    summarise,
)

INTRO = (
    "Distances of each group's scores to all, on the test split, of two scores: diag(LL) in batches of 32, "
    "as the published ones are, and the paired logit diag(L). Of each score three: Sinkhorn as released "
    "(diameter 2, scaling 0.95, blur 1e-4, which does not converge on scores of a larger range), exact "
    "(half the squared Wasserstein-2 distance, by sorting) and scale-free (the exact one over the variance "
    "of all scores). Mean ± standard deviation over seeds (ddof 1); in brackets the published value."
)
CAVEAT = "**The published distances are of one checkpoint each**: they have no deviation to be held against."


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """Mean and deviation of the distances of every group, of both scores.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.rows`).

    Returns
    -------
    The table of :func:`~.rows.summarise`, the same beside the published values, the page.
    """
    values = final_values(records, settings, "group_fairness")
    table = summarise(values, settings, [*SQUARE_DISTANCES, *DISTANCES])
    own, compared = beside_published(table, published, settings)
    shown = own if compared is None else compared
    more = [] if compared is None else [CAVEAT]
    blocks = [*attribute_blocks(shown, SQUARE_DISTANCES), *attribute_blocks(shown, DISTANCES)]
    title = "Table 5 of the FairCLIP reproduction: distances of groups to all"
    return own, compared, make_page(title, INTRO, shown, settings, blocks, more=more)
