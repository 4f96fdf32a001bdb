"""Table 3 of the FairCLIP paper: fine-tuned CLIP and FairCLIP on the attribute trained for."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.pages import make_group_table

INTRO = (
    "FairCLIP as released, each model on the attribute that it was trained for; the paper's CLIP is "
    "fine-tuned, too. Mean ± standard deviation over seeds (ddof 1), in percent; in brackets the value "
    "quoted in notes on the paper, bold where ours is within two combined standard deviations of it."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The table of :func:`~.pages.make_group_table`, for the attribute that each method is trained for.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`).
    """
    return make_group_table(
        records,
        published,
        settings,
        kind="group_fairness",
        title="Table 3 of FairCLIP: zero-shot, by attribute trained for",
        intro=INTRO,
        only_trained=True,
    )
