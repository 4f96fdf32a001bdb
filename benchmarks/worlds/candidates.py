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
    """

    world: str
    settings: Mapping = field(default_factory=dict)
    method: str = "clip-ft-all"
    recipe: Mapping = field(default_factory=dict)


RATES = {"glaucoma_rates": {"race=asian": 0.4, "race=black": 0.8, "race=white": 0.4}}
RATES_SEEN = RATES | {"background_shift": {"black": -0.1}}


def noisy(black: float) -> dict:
    """The images of black people are noisier."""
    return {"noise": {"asian": 0.1, "black": black, "white": 0.1}}


def shifted(cup: float, background: float | None = None) -> dict:
    """The cup-to-disc ratio of black people is larger, and the background darker, if at all."""
    settings = {"cup_shift": {"black": cup}}
    return settings if background is None else settings | {"background_shift": {"black": background}}


def longer(train: int, learning_rate: float = 0.001) -> Candidate:
    """Q4: CLIP-FT as released for 10 epochs, with a smaller training split."""
    recipe = {"epochs": 10, "learning_rate": learning_rate}
    return Candidate("gap-rates", RATES_SEEN | {"train": train}, "clip-ft-released", recipe)


CANDIDATES = [
    Candidate("gap-score", shifted(0.09, -0.05)),
    longer(630),
    Candidate("gap-rates", RATES_SEEN),
    Candidate("gap-quality", noisy(0.5)),
    Candidate("fair"),
    # Rejected: an AUC gap near 5 points.
    Candidate("gap-quality", noisy(0.4)),
    Candidate("gap-quality", noisy(0.3)),
    # Rejected: further from 20 points.
    Candidate("gap-score", shifted(0.1, -0.05)),
    Candidate("gap-score", shifted(0.12, -0.05)),
    Candidate("gap-score", shifted(0.09, -0.1)),
    Candidate("gap-score", shifted(0.13, -0.1)),
    # Rejected: the AUC collapses on one draw, or hardly falls.
    longer(2100),
    longer(630, 0.0003),
    # Rejected: no image shows race.
    Candidate("gap-rates", RATES),
    Candidate("gap-score", shifted(0.09)),
]

# Settings of the pairs in candidates of the world web-associated.
WEB = [
    {"frequency": 0.15, "share_men": 0.48, "share_men_owners": 0.7},
    # Rejected: rates below 0.85.
    {"frequency": 0.2, "share_men": 0.48, "share_men_owners": 0.75},
    {},
]
