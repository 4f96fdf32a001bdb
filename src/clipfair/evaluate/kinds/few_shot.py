"""Few-shot classification by ridge regression on pre-logits (section 4.4), as big_vision's few-shot.

Settings: ``shots`` (examples a class), ``seeds`` (draws of them; the figure is the mean over draws).

Of each class the first k of a permutation of its support examples are taken, all classes from one
generator, so that fewer shots are part of more. Features are whitened with the mean and the standard
deviation (ddof 0, plus 1e-5) of the support, and get a constant 100, whose weight is penalised like the
others; targets are +1 and -1; the penalty is 2^10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Embedded, Result, Sample, row
from clipfair.metrics.bootstrap import intervals, means

L2 = 2.0**10
BIAS_FEATURE = 100.0
EPSILON = 1e-5
ROWS_AT_ONCE = 8192


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """``accuracy_<k>shot`` of all (the mean over draws) and of each draw (label ``draw <seed>``).

    It is undefined for more shots than the smallest class has examples.
    """
    support, test = embedded.support, embedded.test
    if not test.features.shape[1]:
        raise UserError("few_shot: the model's image tower has no pre-logits; leave the evaluation out")
    classes = np.unique(_codes(support))
    truth = _codes(test)
    rows, columns = [], {}
    draws = {seed: permuted(_codes(support), classes, seed=seed) for seed in settings["seeds"]}
    for shots in settings["shots"]:
        reason = _lack(support, classes, shots)
        right = []
        for seed, order in draws.items() if reason is None else ():
            chosen = [members[:shots] for members in order]
            weights = fit(support.features, chosen)
            predicted = classes[predict(weights, test.features)]
            right.append(predicted == truth)
            columns[f"{shots} shots, draw {seed}"] = predicted
        rows += _rows(f"accuracy_{shots}shot", right, list(draws), len(truth), reason, rng)
    scores = pd.DataFrame({"key": test.table["key"], "label": truth, **columns})
    return Result(rows, scores)


def _codes(sample: Sample) -> np.ndarray:
    return sample.table["label"].cat.codes.to_numpy()


def permuted(codes: np.ndarray, classes: np.ndarray, *, seed: int) -> list[np.ndarray]:
    """The examples of each class in the order in which they are taken."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.flatnonzero(codes == code)) for code in classes]


def _lack(support: Sample, classes: np.ndarray, shots: int) -> str | None:
    """Why so many shots cannot be taken."""
    counts = np.bincount(_codes(support), minlength=classes.max() + 1)[classes]
    short = classes[counts < shots]
    if not len(short):
        return None
    name = support.table["label"].cat.categories[short[0]]
    lacking = f"{len(short)} of {len(classes)} classes, the first {name!r}"
    return f"fewer than {shots} support examples in {lacking}"


@dataclass(frozen=True)
class Ridge:
    """A fitted regression: how features are whitened, and the weights (d + 1, classes), the bias's last."""

    mean: np.ndarray
    std: np.ndarray
    weights: np.ndarray


def fit(features: np.ndarray, chosen: Sequence[np.ndarray]) -> Ridge:
    """Ridge regression onto the classes of the ``chosen`` rows, a list of them for each class.

    With fewer examples than features it solves the dual system, which has the same solution.
    """
    rows = np.concatenate(chosen)
    of_class = np.repeat(np.arange(len(chosen)), [len(members) for members in chosen])
    x = features[rows].astype(np.float64)
    mean, std = x.mean(axis=0), x.std(axis=0) + EPSILON
    z = _whiten(x, mean, std)
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
    """The class with the largest value, the first of equal ones; (n,) places in the list of classes."""
    # The whitening's division is done to the weights, which are fewer.
    weights, constant = ridge.weights[:-1] / ridge.std[:, None], BIAS_FEATURE * ridge.weights[-1]
    starts = range(0, len(features), ROWS_AT_ONCE)
    parts = (features[start : start + ROWS_AT_ONCE] - ridge.mean for start in starts)
    return np.concatenate([(part @ weights + constant).argmax(axis=1) for part in parts])


def _whiten(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.hstack([(x - mean) / std, np.full((len(x), 1), BIAS_FEATURE)])


def _rows(
    metric: str,
    right: Sequence[np.ndarray],
    seeds: Sequence[int],
    n: int,
    reason: str | None,
    rng: np.random.Generator,
) -> list[dict]:
    labels = [None, *(f"draw {seed}" for seed in seeds)]
    if reason is not None:
        return [row(metric, None, n=n, label=label, reason=reason) for label in labels]
    of_draw = np.column_stack(right).astype(float)
    values = np.column_stack([of_draw.mean(axis=1), of_draw])
    found = zip(labels, values.mean(axis=0), intervals(means(values, rng)), strict=True)
    return [row(metric, value, n=n, label=label, interval=between) for label, value, between in found]
