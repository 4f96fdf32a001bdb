"""Table 3 of the FairCLIP paper: fine-tuned CLIP against FairCLIP on the attribute trained for."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.rows import make_group_table

INTRO = (
    "FairCLIP as released, each model on the attribute that it was trained for; what the paper calls CLIP "
    "is fine-tuned too. Mean ± standard deviation over seeds (ddof 1), in percent; in brackets the value "
    "as notes on the paper quote it, bold where ours is within two combined standard deviations of it."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The table of :func:`~.rows.make_group_table`, of each method's own attribute only.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.rows`).
    """
    return make_group_table(
        records,
        published,
        settings,
        kind="group_fairness",
        title="Table 3 of FairCLIP: zero-shot, by attribute trained for",
        intro=INTRO,
        per_target=True,
    )
