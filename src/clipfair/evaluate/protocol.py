"""What every kind of evaluation gets and gives back.

A kind is a module of its name in ``clipfair.evaluate`` with

    evaluate(embedded: Embedded, settings: Mapping, rng: numpy.random.Generator) -> Result

It is called once per checkpoint, and writes nothing. ``settings`` is the evaluation's line of the
registry; ``rng`` is the same for all checkpoints of a run, so that they are resampled alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Sample:
    """Examples of one dataset, with what a checkpoint makes of their images.

    Attributes
    ----------
    table : n rows of the prepared table, with its labels and groups, indexed from 0.
    images : (n, r) float32, embeddings of unit length: the image tower's output.
    features : (n, d) float32, pre-logits: what the tower's head projects. (n, 0) if the model has none.
    """

    table: pd.DataFrame
    images: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Embedded:
    """What one checkpoint makes of the images and texts that one evaluation needs.

    Attributes
    ----------
    test : the examples evaluated: those of the line's ``split`` and ``where``.
    support : the examples of the line's ``support`` (few-shot classes, a probe's training split); None
        if it names none.
    texts : the evaluation's text sets by name, each (k, r) float32 of unit length, in the order that
        :func:`clipfair.evaluate.texts.text_sets` gives (``prompts``, ``occupations``, ``classes``, ...).
    scale : exp(logit_scale) > 0: logits are ``scale * images @ texts.T + bias``; 1 / temperature.
    bias : the sigmoid loss's additive bias; 0 for a model without.
    seed : of the run, for what an evaluation trains itself.
    """

    test: Sample
    support: Sample | None
    texts: Mapping[str, np.ndarray]
    scale: float
    bias: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What an evaluation finds.

    Attributes
    ----------
    rows : one a value, each of :func:`row`.
    scores : what all of them can be computed from again: one row an example with its ``key`` (or an
        example and label, a caption, ...).
    """

    rows: Sequence[Mapping]
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)


def row(
    metric: str,
    value: float | None,
    *,
    n: int,
    label: str | None = None,
    group: str | None = None,
    interval: tuple[float, float] | None = None,
    reason: str | None = None,
) -> dict:
    """One value of metrics.json.

    Parameters
    ----------
    value
        A share in [0, 1], a loss in nats, ...; None or NaN where it is undefined, which ``reason`` explains.
    n
        The number of examples that it is computed from.
    label, group
        Which class, occupation or attribute, and which group of examples; None for all.
    interval
        Its 95% bootstrap interval.
    """
    undefined = value is None or bool(np.isnan(value))
    if undefined != (reason is not None):
        raise ValueError(
            f"{metric}: a value is undefined if and only if a reason is given: {value}, {reason}"
        )
    low, high = (None, None) if interval is None or undefined else map(float, interval)
    return {
        "metric": metric,
        "label": label,
        "group": group,
        "value": None if undefined else float(value),
        "n": int(n),
        "low": low,
        "high": high,
        "reason": reason,
    }
