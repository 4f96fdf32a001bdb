"""The six findings of CLIP the Bias (section 3) as claims about contrasts between conditions.

Margin and direction of a claim are those of the analysis plan, question Q7.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from clipfair.plan.analysis_plan import PlannedClaim, read_analysis_plan
from clipfair.tables.m4.selection import BASELINE

BALANCED, PROXIES = "balanced", "proxies"
WITHOUT, WITH = "without", "with"
# Names of two-stage runs: the order of the training distributions, and the share of the first.
LATE, EARLY = "original 90%, then proxies", "proxies 90%, then original"

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
    """A claim that a contrast of a measure between conditions is higher or lower than zero.

    Attributes
    ----------
    id
        Of the claim in the analysis plan: the finding, a point, a number.
    text
        The claim in words.
    measure
        ``representation``, ``association``, ``classification``, ``retrieval``, ``siglip_classification`` or
        ``siglip_retrieval``.
    compute
        From a table with one column per condition to the contrast. It is linear in the conditions, so that it
        commutes with the mean over evaluations.
    or_equivalent
        The claim also holds if the contrast is equivalent to zero within the margin.
    """

    id: str
    text: str
    measure: str
    compute: Callable[[pd.DataFrame], pd.Series]
    or_equivalent: bool = False

    @property
    def finding(self) -> str:
        """The finding that the claim belongs to."""
        return self.id.partition(".")[0]

    @property
    def planned(self) -> PlannedClaim:
        """The claim in the analysis plan."""
        return read_analysis_plan().claim(self.id)


CONTRASTS = [
    Contrast(
        "I.1",
        "representation bias is lower with proxies than without intervention",
        "representation",
        lambda bias: bias[BASELINE] - bias[PROXIES],
    ),
    Contrast(
        "I.2",
        "and lower than with balancing alone",
        "representation",
        lambda bias: bias[BALANCED] - bias[PROXIES],
    ),
    Contrast(
        "II.1",
        "association bias is higher with proxies than with balancing alone",
        "association",
        lambda bias: bias[PROXIES] - bias[BALANCED],
    ),
    Contrast(
        "III.1",
        "the last tenth of training on proxies lowers representation bias",
        "representation",
        lambda bias: bias[BASELINE] - bias[LATE],
    ),
    Contrast(
        "III.2",
        "the last distribution counts more than the longer one",
        "representation",
        lambda bias: bias[EARLY] - bias[LATE],
    ),
    Contrast(
        "IV.1",
        "the last tenth takes away less than half of the association bias that training on proxies does",
        "association",
        lambda bias: bias[LATE] - (bias[BASELINE] + bias[PROXIES]) / 2,
    ),
    Contrast(
        "IV.2",
        "the longer distribution counts more than the last one",
        "association",
        lambda bias: bias[LATE] - bias[EARLY],
    ),
    Contrast(
        "V.1",
        "balancing improves classification",
        "classification",
        lambda quality: (quality[BALANCED] + quality[PROXIES]) / 2 - quality[BASELINE],
    ),
    Contrast(
        "V.2",
        "and hurts retrieval",
        "retrieval",
        lambda quality: (quality[BALANCED] + quality[PROXIES]) / 2 - quality[BASELINE],
    ),
    Contrast(
        "VI.1",
        "with SigLIP on filtered data, balancing costs no classification",
        "siglip_classification",
        lambda quality: quality[WITH] - quality[WITHOUT],
        or_equivalent=True,
    ),
    Contrast(
        "VI.2",
        "and no retrieval",
        "siglip_retrieval",
        lambda quality: quality[WITH] - quality[WITHOUT],
        or_equivalent=True,
    ),
]
