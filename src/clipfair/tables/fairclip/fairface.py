"""Zero-shot gender of FairFace's people: CLIP-FT against FairCLIP+, groups of age and race."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.rows import make_group_table

INTRO = (
    "Mean ± standard deviation over seeds (ddof 1), in percent. The reproduction selects on the split "
    "that it reports (its test images are those of val), and trains CLIP-FT in fp16 and FairCLIP+ in "
    "fp32; no table of its FairFace results could be read, so nothing published stands beside these."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The table of :func:`~.rows.make_group_table` of the evaluations on faces.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.rows`).
    """
    title = "FairFace: zero-shot gender, by method, age and race"
    return make_group_table(records, published, settings, kind="group_fairness", title=title, intro=INTRO)
