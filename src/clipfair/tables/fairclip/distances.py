"""Table 5 of the FairCLIP reproduction: distances between each group's scores and all scores, by method."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.measures import DISTANCES, SQUARE_DISTANCES
from clipfair.tables.fairclip.pages import finish_table
from clipfair.tables.fairclip.selection import final_values
from clipfair.tables.fairclip.summary import summarise

INTRO = (
    "Distances between the scores of each group and those of all, on the test split, for two scores: "
    "diag(LL) in batches of 32, as in the published values, and the paired logit diag(L). Three distances "
    "of each score: Sinkhorn as released (diameter 2, scaling 0.95, blur 1e-4, which does not converge on "
    "scores of a larger range), exact (half the squared Wasserstein-2 distance, by sorting) and scale-free "
    "(the exact one over the variance of all scores). Mean ± standard deviation over seeds (ddof 1); in "
    "brackets the published value."
)
CAVEAT = "**Each published distance is of one checkpoint**: it has no standard deviation."


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """Mean and standard deviation of the distances of every group, for both scores.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`).

    Returns
    -------
    The table of :func:`~.summary.summarise`, its comparison, the page.
    """
    values = final_values(records, settings, "group_fairness")
    return finish_table(
        summarise(values, settings, [*SQUARE_DISTANCES, *DISTANCES]),
        published,
        settings,
        title="Table 5 of the FairCLIP reproduction: distances of groups to all",
        intro=INTRO,
        blocks=[SQUARE_DISTANCES, DISTANCES],
        caveat=CAVEAT,
    )
