"""Appendix E of the FairCLIP reproduction: MMD in place of the Sinkhorn distance."""

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
    with_mean_distances,
)

INTRO = (
    "Each method on the attribute that it is trained for; distances are means over its groups. As "
    "released, the MMD term never reaches the loss (the contrastive loss overwrites it), and a kernel of "
    "width 0.05 on scores of some units is blind to them: corrected means neither. Mean ± standard "
    "deviation over seeds (ddof 1); in brackets the published value."
)
MEASURES = ("validation_auc", *FAIRNESS, "accuracy", "selection_rate", *DISTANCES, "distance_laplacian")


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """MMD beside the baseline, with what is published of it: validation AUC and Laplacian distances.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.rows`), and ``validation``,
    the evaluation on the validation split (left out: no validation AUC).

    Returns
    -------
    The table of :func:`~.rows.summarise`, the same beside the published values, the page.
    """
    values = with_mean_distances(final_values(records, settings, "group_fairness"))
    if "validation" in settings:
        there = {**settings, "evaluation": settings["validation"]}
        selected = final_values(records, there, "group_fairness")
        overall = selected[(selected["metric"] == "auc") & (selected["label"] == "")]
        values = pd.concat([values, overall.assign(metric="validation_auc")], ignore_index=True)
    table = summarise(values, settings, MEASURES)
    table = table[on_target(table)].reset_index(drop=True)
    own, compared = beside_published(table, published, settings)
    shown = own if compared is None else compared
    of_all = shown[shown["group"] == ""]
    blocks = attribute_blocks(of_all, MEASURES)
    return own, compared, make_page("MMD in place of Sinkhorn (Appendix E)", INTRO, shown, settings, blocks)
