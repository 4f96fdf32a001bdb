"""The steps that probes of embeddings and probes of augmented images share."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Result
from clipfair.metrics.scores import make_scores, measure_scores


def find_validation(support: pd.DataFrame | None, split: str) -> np.ndarray:
    """The rows of the support that choose the epoch, those of ``split``; others are trained on. (n,) bool.

    Raises
    ------
    UserError
        If there are no rows of that split, or no others.
    """
    chosen = None if support is None else (support["split"] == split).to_numpy()
    if chosen is None or chosen.all() or not chosen.any():
        raise UserError(
            f"linear_probe: the support must have examples of the split {split!r} and others; "
            "set e.g. support: {split: [train, val]} and validation: val in the configuration"
        )
    return chosen


def measure_probe(
    test: pd.DataFrame, p: np.ndarray, labels: np.ndarray, settings: Mapping, rng: np.random.Generator
) -> Result:
    """The metrics of group_fairness, without distances, from the test examples' probabilities ``p``."""
    scores = make_scores(test, p, labels=labels, sensitive=settings["sensitive"])
    return Result(measure_scores(scores, sensitive=settings["sensitive"], rng=rng), scores)
