"""Zero-shot gender on FairFace: CLIP-FT and FairCLIP+, groups of age and race."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.pages import make_group_table

INTRO = (
    "Mean ± standard deviation over seeds (ddof 1), in percent. The reproduction selects on the split "
    "that it reports (its test images are those of val), and trains CLIP-FT in fp16 and FairCLIP+ in "
    "fp32. No readable table of its FairFace results is published, so nothing is compared."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The table of :func:`~.pages.make_group_table` for the evaluations on faces.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`).
    """
    title = "FairFace: zero-shot gender, by method, age and race"
    return make_group_table(records, published, settings, kind="group_fairness", title=title, intro=INTRO)
