"""The interface of a kind of evaluation.

A kind is a module of its name in ``clipfair.evaluate.kinds`` with the function

    evaluate(embedded: Embedded, settings: Mapping, rng: numpy.random.Generator) -> Result

It is called once per checkpoint and writes nothing. ``settings`` is the evaluation's entry of the
configuration; ``rng`` starts in the same state for all checkpoints and runs, so that all are resampled alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clipfair.metrics.measure import Measure


@dataclass(frozen=True)
class Sample:
    """Examples of one dataset with the embeddings of their images by one checkpoint.

    Attributes
    ----------
    table : n rows of the prepared table, with its labels and groups, indexed from 0.
    images : (n, r) float32, embeddings of unit length: the output of the image tower.
    features : (n, d) float32, pre-logits: the input of the tower's head. (n, 0) if the model has none.
    """

    table: pd.DataFrame
    images: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Embedded:
    """The embeddings of the images and texts that one evaluation needs, by one checkpoint.

    Attributes
    ----------
    test : the evaluated examples: those of the settings ``split`` and ``where``.
    support : the examples of the setting ``support`` (few-shot classes, a probe's training split); None if
        there is none.
    texts : the evaluation's text sets by name, each (k, r) float32 of unit length, in the order of
        :func:`clipfair.evaluate.texts.text_sets` (``prompts``, ``occupations``, ``classes``, ...).
    scale : exp(logit_scale) > 0: logits are ``scale * images @ texts.T + bias``; 1 / temperature.
    bias : the additive bias of the sigmoid loss; 0 for a model without one.
    seed : the seed of the run, for what an evaluation trains itself.
    """

    test: Sample
    support: Sample | None
    texts: Mapping[str, np.ndarray]
    scale: float
    bias: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """The result of an evaluation.

    Attributes
    ----------
    measures : the values of metrics.json.
    scores : the data that all of them can be recomputed from: one row per example with its ``key`` (or per
        caption, or per example and label, ...).
    """

    measures: Sequence[Measure]
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
