"""Few-shot classification by ridge regression on pre-logits, as in big_vision (CLIP the Bias, section 4.4).

Settings: ``shots`` (examples per class), ``seeds`` (one draw of examples each; the accuracy is the mean over
draws).

The first k of a permutation of each class's support examples are used, or all if it has fewer, all classes
from one generator, so that the examples of fewer shots are among those of more. Features are standardised
with the mean and the standard deviation (ddof 0, plus 1e-5) of the support. A constant feature of 100 is
appended, whose weight is penalised like the others. Targets are +1 and -1; the penalty is 2^10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError, warn
from clipfair.evaluate.protocol import Embedded, Result, Sample
from clipfair.metrics.bootstrap import intervals, means
from clipfair.metrics.measure import Measure, make_measure

L2 = 2.0**10
BIAS_FEATURE = 100.0
EPSILON = 1e-5
ROWS_AT_ONCE = 8192


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """``accuracy_<k>shot``: the mean over draws, and of each draw (label ``draw <seed>``).

    It is undefined if a class of the test examples has no support example.
    """
    support, test = embedded.support, embedded.test
    if not test.features.shape[1]:
        raise UserError(
            "few_shot: the model's image tower has no pre-logits; remove the evaluation from the study"
        )
    classes = np.unique(_codes(support))
    truth = _codes(test)
    measures, columns = [], {}
    draws = {seed: permuted(_codes(support), classes, seed=seed) for seed in settings["seeds"]}
    reason = _reason_for_missing_support(support, test)
    _warn_of_small_classes(_codes(support), max(settings["shots"]))
    for shots in settings["shots"]:
        correct = []
        for seed, order in draws.items() if reason is None else ():
            chosen = [members[:shots] for members in order]
            weights = fit(support.features, chosen)
            predicted = classes[predict(weights, test.features)]
            correct.append(predicted == truth)
            columns[f"{shots} shots, draw {seed}"] = predicted
        measures += _measure_draws(f"accuracy_{shots}shot", correct, list(draws), len(truth), reason, rng)
    scores = pd.DataFrame({"key": test.table["key"], "label": truth, **columns})
    return Result(measures, scores)


def _codes(sample: Sample) -> np.ndarray:
    return sample.table["label"].cat.codes.to_numpy()


def permuted(codes: np.ndarray, classes: np.ndarray, *, seed: int) -> list[np.ndarray]:
    """The examples of each class in the order in which they are taken."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.flatnonzero(codes == code)) for code in classes]


def _reason_for_missing_support(support: Sample, test: Sample) -> str | None:
    """The reason for which no accuracy is defined: test classes without a support example; None if none."""
    tested = np.unique(_codes(test))
    missing = np.setdiff1d(tested, _codes(support))
    if not len(missing):
        return None
    name = test.table["label"].cat.categories[missing[0]]
    return f"no support example of {len(missing)} of {len(tested)} test classes, the first {name!r}"


def _warn_of_small_classes(codes: np.ndarray, shots: int) -> None:
    counts = np.unique(codes, return_counts=True)[1]
    small = int((counts < shots).sum())
    if small:
        warn(
            f"few_shot: {small} of {len(counts)} classes have fewer than {shots} support examples "
            f"(the least {counts.min()}); all of theirs are used"
        )


@dataclass(frozen=True)
class Ridge:
    """A fitted regression.

    Attributes
    ----------
    mean, std : (d,), with which features are standardised.
    weights : (d + 1, classes), the weights of the constant feature last.
    """

    mean: np.ndarray
    std: np.ndarray
    weights: np.ndarray


def fit(features: np.ndarray, chosen: Sequence[np.ndarray]) -> Ridge:
    """Ridge regression onto classes; ``chosen`` are the rows of each class.

    With fewer examples than features it solves the dual system, which has the same solution.
    """
    rows = np.concatenate(chosen)
    of_class = np.repeat(np.arange(len(chosen)), [len(members) for members in chosen])
    x = features[rows].astype(np.float64)
    mean, std = x.mean(axis=0), x.std(axis=0) + EPSILON
    z = _standardise(x, mean, std)
    n, d = z.shape
    if n < d:
        targets = np.where(of_class[:, None] == np.arange(len(chosen)), 1.0, -1.0)
        weights = z.T @ np.linalg.solve(z @ z.T + L2 * np.eye(n), targets)
    else:
        starts = np.flatnonzero(np.r_[True, np.diff(of_class) > 0])
        moments = 2 * np.add.reduceat(z, starts, axis=0).T - z.sum(axis=0)[:, None]
        weights = np.linalg.solve(z.T @ z + L2 * np.eye(d), moments)
    return Ridge(mean.astype(np.float32), std.astype(np.float32), weights.astype(np.float32))


def predict(ridge: Ridge, features: np.ndarray) -> np.ndarray:
    """The class with the largest output, the first of equal ones; (n,) positions in the list of classes."""
    # Divide the weights by the standard deviation instead of the features: they are fewer.
    weights, constant = ridge.weights[:-1] / ridge.std[:, None], BIAS_FEATURE * ridge.weights[-1]
    starts = range(0, len(features), ROWS_AT_ONCE)
    parts = (features[start : start + ROWS_AT_ONCE] - ridge.mean for start in starts)
    return np.concatenate([(part @ weights + constant).argmax(axis=1) for part in parts])


def _standardise(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.hstack([(x - mean) / std, np.full((len(x), 1), BIAS_FEATURE)])


def _measure_draws(
    metric: str,
    correct: Sequence[np.ndarray],
    seeds: Sequence[int],
    n: int,
    reason: str | None,
    rng: np.random.Generator,
) -> list[Measure]:
    labels = [None, *(f"draw {seed}" for seed in seeds)]
    if reason is not None:
        return [make_measure(metric, None, n=n, label=label, reason=reason) for label in labels]
    of_draws = np.column_stack(correct).astype(float)
    values = np.column_stack([of_draws.mean(axis=1), of_draws])
    columns = zip(labels, values.mean(axis=0), intervals(means(values, rng)), strict=True)
    return [make_measure(metric, value, n=n, label=label, interval=ends) for label, value, ends in columns]
