"""Linear probes of CLIP and BLIP2, pretrained and fine-tuned (docs/fairclip-protocol.md, section 5)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.fairclip.pages import make_group_table

INTRO = (
    "A linear head on frozen image features, chosen by validation AUC. Mean ± standard deviation over "
    "seeds (ddof 1), in percent; in brackets the published value, bold where ours is within two combined "
    "standard deviations of it."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The table of :func:`~.pages.make_group_table` for the linear probes.

    Settings: ``rows``, ``encoders``, ``evaluation`` (:mod:`~.selection`), ``title``.
    """
    title = settings.get("title", "Linear probes, by model and attribute")
    return make_group_table(records, published, settings, kind="linear_probe", title=title, intro=INTRO)
