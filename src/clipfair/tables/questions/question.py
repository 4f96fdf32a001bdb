"""One question of the analysis plan: its claims with their verdicts, and the secondary values."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.records import check_complete
from clipfair.tables.questions.answers import answer
from clipfair.tables.questions.claims import check_worlds, collect_claims, judge, planned_units, unit_rows
from clipfair.tables.questions.extras import chosen_lams, correlations, variance_shares
from clipfair.tables.questions.page import question_page
from clipfair.tables.questions.secondary import summarise
from clipfair.tables.questions.values import unit_values


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Judge the claims of a question; nothing is published to compare with.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    settings
        Those of :class:`clipfair.plan.table_settings.QuestionSettings`, and what
        :func:`clipfair.plan.questions.question_settings` adds from the plan.

    Returns
    -------
    The table in parts (column ``part``), None, and the page. The parts are ``claims``
    (:func:`~.claims.judge`), ``units`` (the difference of each claim in each unit, in the column mean),
    ``worlds`` (:func:`~.claims.check_worlds`), ``values`` (:func:`~.secondary.summarise`), and where they
    apply ``correlations``, ``chosen`` and ``variance`` (:mod:`~.extras`).

    Raises
    ------
    UserError
        If a run of the table's grids is missing.
    """
    check_complete(records, settings, settings["evaluations"])
    values, units = unit_values(records, settings), planned_units(settings)
    claims, checks = collect_claims(values, settings), check_worlds(values, settings)
    parts = {
        "claims": judge(claims, checks, settings),
        "units": pd.DataFrame(unit_rows(claims)),
        "worlds": checks,
        "values": summarise(values, settings, units),
        "correlations": correlations(values, settings, units),
        "chosen": chosen_lams(values, settings, units),
        "variance": variance_shares(values, settings),
    }
    page = question_page(settings, answer(settings["question"], parts["claims"]), parts)
    filled = [part.assign(part=name) for name, part in parts.items() if not part.empty]
    table = pd.concat(filled, ignore_index=True)
    return table[["part", *table.columns.drop("part")]], None, page
