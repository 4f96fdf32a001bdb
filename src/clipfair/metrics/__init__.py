"""Group fairness of a binary prediction (section 4 of the FairCLIP protocol): arrays in, numbers out.

scores = make_scores(table, p, labels=labels_of(table, "glaucoma"), sensitive=["race", "gender"])
measures = measure_scores(scores, sensitive=["race", "gender"], distances=[], rng=rng)
"""

from clipfair.metrics.fairness import (
    Measure,
    accuracy,
    auc,
    demographic_parity_difference,
    disparity,
    equalized_odds_difference,
    es_accuracy,
    es_auc,
    measure,
    predict,
    resample,
)
from clipfair.metrics.scores import labels_of, make_scores, measure_scores, of_square

__all__ = [
    "Measure",
    "accuracy",
    "auc",
    "demographic_parity_difference",
    "disparity",
    "equalized_odds_difference",
    "es_accuracy",
    "es_auc",
    "labels_of",
    "make_scores",
    "measure",
    "measure_scores",
    "of_square",
    "predict",
    "resample",
]
