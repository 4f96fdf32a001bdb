"""Table 5 of the FairCLIP reproduction: the distance of every group's scores to everybody's, by method."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.tables.fair_rows import (
    DISTANCES,
    attribute_blocks,
    beside_published,
    final_values,
    make_page,
    summarise,
)

INTRO = (
    "The score is the paired logit, diag(L), on the test split. Three distances of each group to all: "
    "Sinkhorn as released (diameter 2, scaling 0.95, blur 1e-4, which does not converge on scores of a "
    "larger range), exact (half the squared Wasserstein-2 distance, by sorting) and scale-free (the exact "
    "one over the variance of all scores). Mean ± standard deviation over seeds (ddof 1); in brackets "
    "the published value."
)
CAVEAT = (
    "**The published distances are of another score**, diag(L L) in batches of 32 (here thousands of "
    "times larger), and of one checkpoint each. Only the order of the groups and the ratios between "
    "methods can be read side by side; no verdict is given."
)
OTHER_SCORE = "another score, diag(L L)"


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """Mean and deviation of the three distances of every group.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`clipfair.tables.fair_rows`).

    Returns
    -------
    The table of :func:`clipfair.tables.fair_rows.summarise`, the same beside the published values, the page.
    """
    values = final_values(records, settings, "group_fairness")
    table = summarise(values, settings, DISTANCES)
    incomparable = settings["incomparable"] or OTHER_SCORE
    own, compared = beside_published(table, published, {**settings, "incomparable": incomparable})
    if compared is not None:
        # A difference of distances of two scores is no difference of anything.
        compared = compared.assign(difference=np.nan, combined_std=np.nan, deviations=np.nan)
    shown = own if compared is None else compared
    more = [] if compared is None else [CAVEAT]
    blocks = attribute_blocks(shown, DISTANCES)
    title = "Table 5 of the FairCLIP reproduction: distances of groups to all"
    return own, compared, make_page(title, INTRO, shown, settings, blocks, more=more)
