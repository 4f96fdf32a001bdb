"""Candidates of the worlds with known fairness: what calibrate.py fine-tunes in."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Candidate:
    """Settings of a world, and how a model is fine-tuned in it.

    Attributes
    ----------
    world : of the analysis plan.
    settings : what differs from the settings that all worlds have in common.
    method : of the catalogue.
    recipe : what differs from the recipe fundus-small.
    subsample : the part of the training split that is trained on; None for all.
    """

    world: str
    settings: Mapping = field(default_factory=dict)
    method: str = "clip-ft-all"
    recipe: Mapping = field(default_factory=dict)
    subsample: Mapping | None = None


RATES = {"glaucoma_rates": {"race=asian": 0.4, "race=black": 0.8, "race=white": 0.4}}
NOISE = {"noise": {"asian": 0.1, "black": 0.3, "white": 0.1}}
RATES_SEEN = RATES | {"background_shift": {"black": -0.1}}


def shifted(cup: float, background: float | None = None) -> dict:
    """The cup-to-disc ratio of black people is larger, and the background darker, if at all."""
    settings = {"cup_shift": {"black": cup}}
    return settings if background is None else settings | {"background_shift": {"black": background}}


def longer(share: float | None = None, learning_rate: float = 0.001) -> dict:
    """Q4: CLIP-FT as released for 10 epochs, on a part of the training split."""
    return {
        "settings": RATES_SEEN,
        "method": "clip-ft-released",
        "recipe": {"epochs": 10, "learning_rate": learning_rate},
        "subsample": None if share is None else {"share": share},
    }


CANDIDATES = [
    Candidate("gap-score", shifted(0.1, -0.05)),
    Candidate("gap-score", shifted(0.12, -0.05)),
    Candidate("gap-rates", **longer(0.3, 0.0003)),
    Candidate("gap-rates", **longer(0.3)),
    Candidate("gap-rates", RATES_SEEN),
    Candidate("gap-quality", NOISE),
    Candidate("fair"),
    # Race is not visible in the image.
    Candidate("gap-rates", RATES),
    Candidate("gap-score", shifted(0.09)),
]

# Settings of the pairs in candidates of the world web-associated.
WEB = [
    {},
    {"frequency": 0.3, "share_men": 0.5, "share_men_owners": 0.75},
]
