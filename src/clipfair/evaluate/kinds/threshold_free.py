"""Group fairness without a fixed threshold, next to the papers' metrics of the kind group_fairness.

Settings: ``label`` (``positive``), ``prompts`` and ``sensitive`` as for group_fairness; ``support``, the
validation examples, on which the threshold and the recalibration are fitted; ``intersections`` (lists of
attributes whose groups are combined); ``captions``, the text of each example, for the distances of the score
of an image with its own text; ``resamples`` of the BCa intervals, none unless given.

The metrics are those of :mod:`clipfair.metrics.threshold_free` and :mod:`clipfair.metrics.distance_measures`,
all of them computed from the scores as they are written.
"""

from collections.abc import Mapping

import numpy as np

from clipfair.evaluate.margins import join_parts, measure_parts, prompt_margins
from clipfair.evaluate.protocol import Embedded, Result


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """The metrics of every attribute and intersection; the scores are those of validation and test.

    Raises
    ------
    UserError
        As :func:`clipfair.evaluate.margins.prompt_margins`.
    """
    validation, test = prompt_margins(embedded, settings)
    return Result(measure_parts(validation, test, settings, rng), join_parts(validation, test))
