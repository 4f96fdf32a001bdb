"""Deep feature reweighting (Kirichenko et al., 2023): a last layer that is fitted to group-balanced data.

A logistic regression with an L1 penalty on standardised features, averaged over several subsets in which
every cell of group and label has as many examples as the smallest.
"""

from dataclasses import dataclass

import numpy as np

# The inverse strengths C of the penalty that its authors' code tries.
INVERSE_PENALTIES = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
SUBSETS = 20  # as there


@dataclass(frozen=True)
class CellFeatures:
    """Examples with their cells.

    Attributes
    ----------
    features : (n, r).
    labels : (n,) 0 or 1.
    cells : (n,) the number of the cell of group and label: 0 to K - 1.
    """

    features: np.ndarray
    labels: np.ndarray
    cells: np.ndarray

    def of(self, rows: np.ndarray) -> "CellFeatures":
        """Some of the examples."""
        return CellFeatures(self.features[rows], self.labels[rows], self.cells[rows])


@dataclass(frozen=True)
class LinearHead:
    """A linear classifier of features.

    Attributes
    ----------
    weights : (r,).
    intercept : of the logit.
    inverse_penalty : the C that it was fitted with.
    """

    weights: np.ndarray
    intercept: float
    inverse_penalty: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """The logit of label 1 for features (n, r); (n,)."""
        return features @ self.weights + self.intercept


def split_in_halves(cells: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The rows of two random halves, in each of which every cell has half of its examples, up to one."""
    first = []
    for cell in np.unique(cells):
        rows = rng.permutation(np.flatnonzero(cells == cell))
        first.append(rows[: (len(rows) + 1) // 2])
    chosen = np.isin(np.arange(len(cells)), np.concatenate(first))
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def fit_head(
    fitted: CellFeatures, held_out: CellFeatures, *, rng: np.random.Generator, subsets: int = SUBSETS
) -> LinearHead:
    """Fit the last layer to ``fitted``, with the C that has the best worst cell in ``held_out``.

    Each C is tried on one subset, and the first of equal ones is taken; the result is the mean of ``subsets``
    regressions. Both parts have an example of every cell.
    """
    tried = draw_balanced(fitted.cells, rng)
    heads = [fit_subsets(fitted, [tried], inverse_penalty=penalty) for penalty in INVERSE_PENALTIES]
    best = max(heads, key=lambda head: worst_cell_accuracy(head, held_out))
    drawn = [draw_balanced(fitted.cells, rng) for _ in range(subsets)]
    return fit_subsets(fitted, drawn, inverse_penalty=best.inverse_penalty)


def draw_balanced(cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw rows, of every cell as many as the smallest has."""
    smallest = np.bincount(cells).min()
    members = [np.flatnonzero(cells == cell) for cell in range(cells.max() + 1)]
    return np.concatenate([rng.choice(rows, smallest, replace=False) for rows in members])


def fit_subsets(fitted: CellFeatures, subsets: list[np.ndarray], *, inverse_penalty: float) -> LinearHead:
    """The mean of the regressions on subsets (rows); features are standardised over all of ``fitted``."""
    from sklearn.linear_model import LogisticRegression  # late: its import takes a second

    mean, scale = fitted.features.mean(axis=0), fitted.features.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    standardised = (fitted.features - mean) / scale
    regression = LogisticRegression(C=inverse_penalty, l1_ratio=1, solver="liblinear", random_state=0)
    found = []
    for rows in subsets:
        regression.fit(standardised[rows], fitted.labels[rows])
        found.append(np.append(regression.coef_[0], regression.intercept_))
    *weights, intercept = np.mean(found, axis=0)
    weights = np.array(weights) / scale
    return LinearHead(weights, float(intercept - mean @ weights), inverse_penalty)


def worst_cell_accuracy(head: LinearHead, examples: CellFeatures) -> float:
    """The accuracy in the cell where it is lowest."""
    correct = (head.logits(examples.features) >= 0) == (examples.labels == 1)
    return min(correct[examples.cells == cell].mean() for cell in np.unique(examples.cells))
