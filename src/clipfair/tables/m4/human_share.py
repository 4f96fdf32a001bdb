"""Model quality by the share of human examples (CLIP the Bias, Figure 11, appendix A.6)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.common.markdown import markdown_table, mean_and_std, percent
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.pages import last_checkpoint, page_title
from clipfair.tables.m4.quality import quality_by_condition

KEY = ["panel", "metric", "model_label"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Each metric over the conditions that drop increasing shares of the human examples.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        As in :mod:`clipfair.tables.m4.quality`, and ``human_shares``: condition -> the share of the
        human examples that it keeps, in [0, 1].

    Returns
    -------
    The table of :mod:`clipfair.tables.m4.quality` with a column human_share; None; the page.

    Raises
    ------
    UserError
        If a run is missing, or a condition of the grids has no share.
    """
    table = quality_by_condition(records, settings)
    unknown = sorted(set(table["condition"]) - set(settings["human_shares"]))
    if unknown:
        raise UserError(
            f"table {settings['table']}: no share of human examples of {', '.join(unknown)}; add it to "
            "settings.human_shares in config.yaml"
        )
    table.insert(0, "human_share", table["condition"].map(settings["human_shares"]))
    return table, None, _page(table, settings)


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    shares = sorted(table["human_share"].unique(), reverse=True)
    head = ["dataset", "metric", "model", *(f"{percent(share, decimals=0)}%" for share in shares)]
    rows = []
    for (panel, metric, label), frame in table.groupby(KEY, sort=False):
        scale = metric_name(metric).scale
        cells = {r.human_share: mean_and_std(r.mean, r.std, scale=scale) for r in frame.itertuples()}
        rows.append([panel, metric_name(metric).axis, label, *(cells.get(share, "-") for share in shares)])
    return "\n".join(
        [
            page_title(settings, "quality by the share of human examples kept"),
            "",
            f"{last_checkpoint(settings)}. The paper finds that with fewer human examples classification "
            "improves and retrieval gets worse.",
            "",
            *markdown_table(head, rows),
            "",
        ]
    )
