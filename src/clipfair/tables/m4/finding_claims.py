"""The six findings of CLIP the Bias (section 3) as claims about contrasts between conditions."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from clipfair.tables.common.findings import Claim
from clipfair.tables.m4.selection import BASELINE

BALANCED, PROXIES = "balanced", "proxies"
WITHOUT, WITH = "without", "with"
# Names of two-stage runs: the order of the training distributions, and the share of the first.
LATE, EARLY = "original 90%, then proxies", "proxies 90%, then original"

# Half a percentage point, fixed before any result was known; docs/m4-results.md gives the reason.
MARGIN = 0.005

TITLES = {
    "I": "Proxies mitigate representation bias",
    "II": "But proxies hurt association bias",
    "III": "Fine-tuning is effective for representation bias",
    "IV": "But fine-tuning is less effective for association bias",
    "V": "Mixed impact on model performance",
    "VI": "But improving data quality and architecture helps",
}


@dataclass(frozen=True)
class Contrast:
    """A claim that a contrast of a measure between conditions lies above the claim's threshold.

    Attributes
    ----------
    measure
        ``representation``, ``association``, ``classification``, ``retrieval``, ``siglip_classification`` or
        ``siglip_retrieval``.
    compute
        From a table with one column per condition to the contrast. It is linear in the conditions, so that it
        commutes with the mean over evaluations.
    """

    claim: Claim
    measure: str
    compute: Callable[[pd.DataFrame], pd.Series]


def _contrast(
    finding: str,
    text: str,
    measure: str,
    statistic: str,
    compute: Callable[[pd.DataFrame], pd.Series],
    margin: float = 0.0,
) -> Contrast:
    return Contrast(Claim(finding, text, statistic, threshold=0.0 - margin), measure, compute)


CONTRASTS = [
    _contrast(
        "I",
        "representation bias is lower with proxies than without intervention",
        "representation",
        "baseline - proxies",
        lambda bias: bias[BASELINE] - bias[PROXIES],
    ),
    _contrast(
        "I",
        "and lower than with balancing alone",
        "representation",
        "balanced - proxies",
        lambda bias: bias[BALANCED] - bias[PROXIES],
    ),
    _contrast(
        "II",
        "association bias is higher with proxies than with balancing alone",
        "association",
        "proxies - balanced",
        lambda bias: bias[PROXIES] - bias[BALANCED],
    ),
    _contrast(
        "III",
        "the last tenth of training on proxies lowers representation bias",
        "representation",
        f"baseline - ({LATE})",
        lambda bias: bias[BASELINE] - bias[LATE],
    ),
    _contrast(
        "III",
        "the last distribution counts more than the longer one",
        "representation",
        f"({EARLY}) - ({LATE})",
        lambda bias: bias[EARLY] - bias[LATE],
    ),
    _contrast(
        "IV",
        "the last tenth takes away less than half of the association bias that training on proxies does",
        "association",
        f"({LATE}) - (baseline + proxies) / 2",
        lambda bias: bias[LATE] - (bias[BASELINE] + bias[PROXIES]) / 2,
    ),
    _contrast(
        "IV",
        "the longer distribution counts more than the last one",
        "association",
        f"({LATE}) - ({EARLY})",
        lambda bias: bias[LATE] - bias[EARLY],
    ),
    _contrast(
        "V",
        "balancing improves classification",
        "classification",
        "(balanced + proxies) / 2 - baseline",
        lambda quality: (quality[BALANCED] + quality[PROXIES]) / 2 - quality[BASELINE],
    ),
    _contrast(
        "V",
        "and hurts retrieval",
        "retrieval",
        "baseline - (balanced + proxies) / 2",
        lambda quality: quality[BASELINE] - (quality[BALANCED] + quality[PROXIES]) / 2,
    ),
    _contrast(
        "VI",
        "with SigLIP on filtered data, balancing costs less than half a percentage point of classification",
        "siglip_classification",
        "with - without",
        lambda quality: quality[WITH] - quality[WITHOUT],
        margin=MARGIN,
    ),
    _contrast(
        "VI",
        "and less than that of retrieval",
        "siglip_retrieval",
        "with - without",
        lambda quality: quality[WITH] - quality[WITHOUT],
        margin=MARGIN,
    ),
]
