"""AUC on the validation split, which the reproduction's job files have in the names of checkpoints."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.pages import finish_table
from clipfair.tables.fairclip.selection import final_values
from clipfair.tables.fairclip.summary import summarise

INTRO = (
    "AUC of the chosen epoch on the validation split, which also chooses it: the best of the epochs, not an "
    "estimate for new patients. Mean ± standard deviation over seeds (ddof 1), in percent; in brackets the "
    "published value, bold where ours is within two combined standard deviations of it."
)
MEASURES = ("validation_auc",)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The validation AUC of every method and model.

    Settings: ``rows``, ``encoders`` (:mod:`~.selection`). Its grids have one evaluation, on that split.

    Returns
    -------
    The table of :func:`~.summary.summarise`, its comparison, the page.
    """
    values = final_values(records, settings, "group_fairness")
    overall = values[(values["metric"] == "auc") & (values["label"] == "")]
    table = summarise(overall.assign(metric="validation_auc"), settings, MEASURES)
    title = "AUC on the validation split, as in names of checkpoints"
    return finish_table(table, published, settings, title=title, intro=INTRO, blocks=[MEASURES])
