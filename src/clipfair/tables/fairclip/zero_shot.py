"""Zero-shot glaucoma detection: every method, model and attribute of the FairCLIP reproduction."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.pages import make_group_table

INTRO = (
    "Mean ± standard deviation over seeds (ddof 1), in percent, on the test split; in brackets the "
    "published value, bold where ours is within two combined standard deviations of it. DPD and DEOdds of "
    "a classifier that predicts one class are 0: read them together with accuracy and selection rate."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The table of :func:`~.pages.make_group_table` for the zero-shot evaluations.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`), ``title``.
    """
    title = settings.get("title", "Zero-shot detection of glaucoma, by method and attribute")
    return make_group_table(records, published, settings, kind="group_fairness", title=title, intro=INTRO)
