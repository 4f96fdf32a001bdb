"""Values of methods and their differences from a baseline, on data that no plan has claims about."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.records import check_complete
from clipfair.tables.questions.page import values_sections
from clipfair.tables.questions.secondary import summarise
from clipfair.tables.questions.values import unit_values


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Mean and t interval over seeds of every measure and of its difference from the baseline.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    settings
        Those of :class:`clipfair.plan.table_settings.DifferencesSettings`.

    Returns
    -------
    The table of :func:`~.secondary.summarise`, None, and the page.

    Raises
    ------
    UserError
        If a run of the table's grids is missing.
    """
    check_complete(records, settings, settings["evaluations"])
    table = summarise(unit_values(records, settings), settings)
    page = [
        f"# {settings['title']}",
        "",
        "Without verdicts: the analysis plan has no claims about these runs.",
    ]
    return table, None, "\n".join([*page, *values_sections(table, settings)]) + "\n"
