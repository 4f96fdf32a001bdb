"""Appendix E of the FairCLIP reproduction: MMD instead of the Sinkhorn distance."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.measures import DISTANCES, FAIRNESS
from clipfair.tables.fairclip.pages import finish_table
from clipfair.tables.fairclip.selection import add_mean_distances, final_values, on_trained_attribute
from clipfair.tables.fairclip.summary import summarise

INTRO = (
    "Each method on the attribute that it is trained for; distances are means over its groups. As "
    "released, the MMD term does not reach the loss (the contrastive loss overwrites it), and a kernel of "
    "width 0.05 is insensitive to scores with a range of some units; the corrected variants fix both. Mean "
    "± standard deviation over seeds (ddof 1); in brackets the published value."
)
KERNELS = ("distance_laplacian", "distance_gaussian")
MEASURES = ("validation_auc", *FAIRNESS, "accuracy", "selection_rate", *DISTANCES, *KERNELS)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """MMD and the baseline, with the published values: validation AUC and Laplacian distances.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`), and ``validation``, the evaluation
    on the validation split (if omitted, there is no validation AUC).

    Returns
    -------
    The table of :func:`~.summary.summarise`, its comparison, the page.
    """
    values = add_mean_distances(final_values(records, settings, "group_fairness"))
    if "validation" in settings:
        on_validation = {**settings, "evaluation": settings["validation"]}
        selected = final_values(records, on_validation, "group_fairness")
        overall = selected[(selected["metric"] == "auc") & (selected["label"] == "")]
        values = pd.concat([values, overall.assign(metric="validation_auc")], ignore_index=True)
    table = summarise(values, settings, MEASURES)
    return finish_table(
        table[on_trained_attribute(table)].reset_index(drop=True),
        published,
        settings,
        title="MMD instead of Sinkhorn (Appendix E)",
        intro=INTRO,
        blocks=[MEASURES],
        groups=False,
    )
