"""Planted and recovered quantities in the pairs of Q7 and of its control."""

from pathlib import Path

import pandas as pd

from clipfair.core.settings import parse
from clipfair.data.embedded.planted import occupation_rates
from clipfair.data.embedded.web_settings import WebSettings
from clipfair.plan.analysis_plan import AnalysisPlan

# (quantity, group) -> value.
Values = dict[tuple[str, str], float]
ALL = "all"

MEN = "share of men among people in images"
OWNERS = "share of men among owners who are only mentioned"
ASSOCIATION = "share of men less share of women with the occupation"

WORLD, CONTROL = "web-associated", "web-unbiased"
# What differs in the control.
CONTROL_SETTINGS = {"association": 0, "share_men": 0.5, "share_men_owners": 0.5}
WEB_UNFAIRNESS = {
    WORLD: "representation bias (more owners than people are men) and association bias (occupations)",
    CONTROL: "none is planted",
}


def web_settings(plan: AnalysisPlan) -> dict[str, WebSettings]:
    """The settings of both datasets of pairs."""
    of_control = plan.web_settings | CONTROL_SETTINGS
    return {WORLD: parse(WebSettings, plan.web_settings), CONTROL: parse(WebSettings, of_control)}


def web_planted(settings: WebSettings) -> Values:
    """Planted values of the settings, by quantity and occupation; shares in [0, 1]."""
    rates = occupation_rates(settings)
    return {
        (MEN, ALL): settings.share_men,
        (OWNERS, ALL): settings.share_men_owners,
        **{(ASSOCIATION, name): float(rate.men - rate.women) for name, rate in rates.items()},
    }


def web_recovered(folder: str) -> Values:
    """The same quantities from the content of a draw's images and captions, its ``truth.parquet``.

    Pairs whose caption belongs to another image count with the content of their image.
    """
    truth = pd.read_parquet(Path(folder, "truth.parquet"), columns=["person", "gender", "occupation"])
    gendered = truth[truth["gender"].notna()]
    is_man = gendered["gender"] == "man"
    found = {
        (MEN, ALL): float(is_man[gendered["person"]].mean()),
        (OWNERS, ALL): float(is_man[~gendered["person"]].mean()),
    }
    shares = pd.crosstab(is_man, gendered["occupation"].fillna(""), normalize="index")
    return found | {
        (ASSOCIATION, name): float(shares.loc[True, name] - shares.loc[False, name])
        for name in shares.columns
        if name
    }
