"""Group fairness without a fixed threshold, next to the papers' metrics of the kind group_fairness.

Settings: ``label`` (``positive``), ``prompts`` and ``sensitive`` as for group_fairness; ``support``, the
validation examples, on which the threshold and the recalibration are fitted; ``intersections`` (lists of
attributes whose groups are combined); ``resamples`` of the BCa intervals, none unless given.

The metrics are those of :mod:`clipfair.metrics.threshold_free`. The probability is that of group_fairness.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Embedded, Result, Sample
from clipfair.evaluate.similarity import probabilities
from clipfair.metrics.labels import binary_labels
from clipfair.metrics.scores import make_scores
from clipfair.metrics.threshold_free import matched_threshold, recalibrate
from clipfair.metrics.threshold_free_measures import CalibratedPredictions, intersect, measure_attributes

SEPARATOR = " x "


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """The metrics of every attribute and intersection; the scores are those of validation and test.

    Raises
    ------
    UserError
        If there are not two prompts, a column is missing, or the validation labels are all equal.
    """
    prompts, sensitive = embedded.texts["prompts"], settings["sensitive"]
    if len(prompts) != 2:
        raise UserError(
            f"threshold_free: expected two prompts, of label 0 and of label 1; found {len(prompts)}"
        )
    scores = {
        part: _score(sample, prompts, settings)
        for part, sample in (("validation", embedded.support), ("test", embedded.test))
    }
    validation, test = ((part["label"].to_numpy(), part["p"].to_numpy()) for part in scores.values())
    if len(np.unique(validation[0])) < 2:
        raise UserError("threshold_free: the labels of the support are all equal; choose a support with both")
    groups = pd.DataFrame({name: scores["test"][name] for name in sensitive})
    combined = settings.get("intersections", [])
    measures = measure_attributes(
        CalibratedPredictions(*test, recalibrate(*validation, test[1])),
        sensitive_features={
            **{name: groups[name] for name in sensitive},
            **{SEPARATOR.join(several): intersect(groups, several) for several in combined},
        },
        threshold=matched_threshold(*validation),
        rng=rng,
        replicates=settings.get("resamples"),
    )
    rows = pd.concat([part.assign(part=name) for name, part in scores.items()], ignore_index=True)
    return Result(measures, rows)


def _score(sample: Sample, prompts: np.ndarray, settings: Mapping) -> pd.DataFrame:
    return make_scores(
        sample.table,
        probabilities(sample.images, prompts, scale=1.0)[:, 1],
        labels=binary_labels(sample.table, settings["label"], settings.get("positive")),
        sensitive=settings["sensitive"],
    )
