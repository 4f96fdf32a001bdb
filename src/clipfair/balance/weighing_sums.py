"""Sums over weighted examples, from which the biases are computed; sums of batches can be added."""

from dataclasses import dataclass

import numpy as np

from clipfair.balance.indicators import IndicatorLayout, decode
from clipfair.balance.weigh import WeighedBatch
from clipfair.m4.bias import Moments, moments


@dataclass(frozen=True)
class WeighingSums:
    """Sums over weighed examples.

    Attributes
    ----------
    versions : moments before, after (weighted) and in the sample (kept), by name.
    examples : rows read.
    variance : variance of the number of examples kept, given the weights.
    squares : the sum of squared weights.
    largest : the largest weight.
    exceeding : examples with a weight above the one at which an example is certainly kept.
    """

    versions: dict[str, Moments]
    examples: int
    variance: float
    squares: float
    largest: float
    exceeding: int

    @property
    def effective_examples(self) -> float:
        """Kish's effective sample size of the weights, (sum q)^2 / sum q^2; 0 without any weight."""
        return self.versions["after"].total ** 2 / self.squares if self.squares else 0.0

    def __add__(self, other: "WeighingSums") -> "WeighingSums":
        return WeighingSums(
            versions={name: data + other.versions[name] for name, data in self.versions.items()},
            examples=self.examples + other.examples,
            variance=self.variance + other.variance,
            squares=self.squares + other.squares,
            largest=max(self.largest, other.largest),
            exceeding=self.exceeding + other.exceeding,
        )


def sums_of(part: WeighedBatch, layout: IndicatorLayout, *, certain_weight: float) -> WeighingSums:
    """The sums over a batch."""
    sensitive, labels, _ = decode(part.rows, layout)
    weightings = {"before": None, "after": part.weights, "sample": part.keep.astype(float)}
    versions = {}
    for name, weighting in weightings.items():
        by_pattern = np.bincount(part.index, weights=weighting, minlength=len(part.rows))
        versions[name] = moments(sensitive, labels, by_pattern.astype(float))
    return WeighingSums(
        versions=versions,
        examples=len(part.weights),
        variance=part.variance,
        squares=float(part.weights @ part.weights),
        largest=float(part.weights.max()),
        exceeding=int((part.weights > certain_weight * (1 + 1e-9)).sum()),
    )
