"""The problem that M4 solves, eq. (4): the data as counted patterns, and the settings of the weights.

Notation of *CLIP the Bias*, section 5: s in {0,1}^m sensitive attributes, y in {0,1}^c labels,
u > 0 utilities, pi the target proportions, eta the average weight (the subsampling rate),
Q the largest weight, V the penalty of a violation. Everything here is in mean form: E is the mean
over examples. The quadratic program of the paper's appendix A.2.1 is n times ours, so V is the same.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy import sparse

from clipfair.core.errors import UserError

_NOT_IN_RANGE = (
    "sensitive attributes and labels must be 0 or 1, or probabilities between them: encode categories as "
    "indicators first"
)


@dataclass(frozen=True)
class Patterns:
    """Distinct examples (s, y, u) with their counts. M4 depends on the data through these alone.

    A value between 0 and 1 is a probability: that the example is in the group, or has the label. The
    constraints are linear in s and y, so they then hold in expectation, where the membership of a group and
    a label are independent given the example.

    Attributes
    ----------
    sensitive : (N, m) array, uint8 of 0 and 1 or float in [0, 1]; groups may overlap, and a row may be in
        none.
    labels : (N, c) sparse matrix of values in [0, 1]; c may be 0, which leaves representation alone.
    utility : (N,) float array, > 0. The paper allows u = 0 but divides by u; such a weight
        would be determined by a linear program, so zero is refused.
    count : (N,) int array, >= 1.
    """

    sensitive: np.ndarray
    labels: sparse.csr_array
    utility: np.ndarray
    count: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.count)
        if n == 0:
            raise UserError("the data have no examples: at least one is needed")
        if self.sensitive.ndim != 2 or self.sensitive.shape[1] == 0:
            raise UserError(f"sensitive has shape {self.sensitive.shape}, expected (N, m) with m >= 1")
        lengths = {len(self.sensitive), self.labels.shape[0], len(self.utility), n}
        if len(lengths) > 1:
            raise UserError(f"sensitive, labels, utility and count differ in length: {sorted(lengths)}")
        if not (_are_shares(self.sensitive) and _are_shares(self.labels.data)):
            raise UserError(_NOT_IN_RANGE)
        if not (np.isfinite(self.utility).all() and (self.utility > 0).all()):
            raise UserError("utilities must be finite and greater than 0, since M4 divides by them")
        if not (self.count >= 1).all():
            raise UserError("pattern counts must be at least 1: drop the patterns that do not occur")

    @property
    def examples(self) -> int:
        """The number n of examples behind the patterns."""
        return int(self.count.sum())

    @property
    def share(self) -> np.ndarray:
        """Share of the examples in each pattern, (N,), summing to 1."""
        return self.count / self.count.sum()


def _are_shares(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of a (n, width) array of any type, and for each row its index among them, (n,).

    In order of first appearance, by a hash table of the bytes: about ten times faster than sorting.
    """
    rows = np.ascontiguousarray(rows)
    n, width = len(rows), rows.shape[1] * rows.itemsize
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), n, [None, pa.py_buffer(rows)])
    encoded = column.dictionary_encode()
    size = len(encoded.dictionary) * width
    distinct = np.frombuffer(encoded.dictionary.buffers()[1], dtype=np.uint8, count=size)
    return distinct.view(rows.dtype).reshape(-1, rows.shape[1]), encoded.indices.to_numpy()


def as_matrix(values: ArrayLike, name: str) -> np.ndarray:
    """A matrix of 0, 1 and probabilities as an array: uint8 if all are 0 or 1, else float.

    Parameters
    ----------
    values : (n, k) array, data frame, nested list or sparse matrix of numbers or booleans.
    name : what it is, for messages.

    Raises
    ------
    UserError
        If it has another shape, or anything but numbers in [0, 1].
    """
    matrix = values.toarray() if sparse.issparse(values) else values
    try:
        matrix = np.asarray(matrix)
        if matrix.dtype.kind not in "biufc":
            matrix = matrix.astype(float)
    except (TypeError, ValueError):
        raise UserError(f"{name} must be an (n, k) array of numbers: {_NOT_IN_RANGE}") from None
    if matrix.dtype.kind == "c":
        raise UserError(f"{name}: Complex data not supported: {_NOT_IN_RANGE}")
    if matrix.dtype.kind == "f" and np.isnan(matrix).any():
        raise UserError(f"{name} holds NaN: drop such examples, or set 0 for in no group and without label")
    if matrix.ndim != 2:
        raise UserError(f"{name} has shape {matrix.shape}, expected (n, k): reshape(-1, 1) makes one column")
    if not _are_shares(matrix):
        raise UserError(f"{name}: {_NOT_IN_RANGE}")
    is_binary = ((matrix == 0) | (matrix == 1)).all()
    return matrix.astype(np.uint8) if is_binary else matrix + 0.0  # -0 becomes 0


def collapse(
    sensitive: ArrayLike, labels: ArrayLike, utility: ArrayLike | None = None
) -> tuple[Patterns, np.ndarray]:
    """Collapse n examples to their distinct patterns.

    Parameters
    ----------
    sensitive, labels : (n, m) and (n, c) of 0 and 1, or probabilities between them: arrays, data frames,
        nested lists or sparse matrices.
    utility : (n,), > 0; 1 for all when not given.

    Returns
    -------
    The patterns, and for each example the index of its pattern: ``weights[index]`` are the
    examples' weights.

    Raises
    ------
    UserError
        If there are no examples, or shapes or values are others than these.
    """
    sensitive, labels = as_matrix(sensitive, "sensitive"), as_matrix(labels, "labels")
    utility = np.ones(len(sensitive)) if utility is None else _as_vector(utility)
    lengths = (len(sensitive), len(labels), len(utility))
    if len(set(lengths)) > 1:
        raise UserError(
            f"sensitive, labels and utility have {lengths} rows: expected one each for every example"
        )
    if len(sensitive) == 0:
        raise UserError("the data have no examples: at least one is needed")
    bits = [part for part in (sensitive, labels) if part.dtype == np.uint8]
    floats = [part.view(np.uint8) for part in (sensitive, labels) if part.dtype != np.uint8]
    packed = [np.packbits(np.hstack(bits), axis=1)] if bits else []
    rows, index = distinct_rows(np.hstack([*packed, *floats, utility[:, None].view(np.uint8)]))
    _, first = np.unique(index, return_index=True)
    patterns = Patterns(
        sensitive=sensitive[first],
        labels=sparse.csr_array(labels[first].astype(float)),
        utility=utility[first],
        count=np.bincount(index, minlength=len(rows)),
    )
    return patterns, index


def _as_vector(utility: ArrayLike) -> np.ndarray:
    try:
        vector = np.ascontiguousarray(utility, dtype=float)
    except (TypeError, ValueError):
        raise UserError("utility must be one number for each example") from None
    if vector.ndim != 1:
        raise UserError(f"utility has shape {vector.shape}, expected (n,), one number for each example")
    return vector


@dataclass(frozen=True)
class M4Settings:
    """The settings of eq. (4). With the dual variables they determine all weights (eq. 5).

    Attributes
    ----------
    target : (m,) proportions pi in [0, 1].
    rate : eta > 0, the mean weight.
    max_weight : Q >= eta; 1 to subsample, more (or infinity) to reweigh.
    penalty : V > 0, the price of one unit of violation of any constraint.
    eps_association, eps_representation : tolerances eps_D and eps_R, in [0, 1).
    pairs : (m, c) bool, the associations to be removed; all of them when not given. The paper removes
        all; but where groups are labels of each other, a group cannot be independent of itself.
    eps_reading : the bound that the tolerances set, on which the paper is inconsistent. ``"normalised"``:
        |E[q g]| <= eps * eta, as in the appendix and Algorithm 2: a tolerance on the covariance in the
        weighted data. ``"literal"``: |E[q g]| <= eps, as eq. (3) and (4) are printed; it is weaker the
        smaller eta is.

    Eq. (6) takes pi as the exact share of a group. With tolerances, the covariance of s_k and y_r in the
    weighted data is bounded by eps_D + eps_R E[q y_r] / eta (normalised reading).
    """

    target: np.ndarray
    rate: float
    max_weight: float = 1.0
    penalty: float = 10.0
    eps_association: float = 0.0
    eps_representation: float = 0.0
    eps_reading: Literal["normalised", "literal"] = "normalised"
    pairs: np.ndarray | None = None

    def __post_init__(self) -> None:
        target = np.asarray(self.target, dtype=float)
        if target.ndim != 1 or not ((target >= 0) & (target <= 1)).all():
            raise UserError(f"targets must be proportions in [0, 1], one a group; given: {target.tolist()}")
        object.__setattr__(self, "target", target)
        if self.pairs is not None:
            object.__setattr__(self, "pairs", np.asarray(self.pairs, dtype=bool).reshape(len(target), -1))
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise UserError(f"rate (eta) must be greater than 0, given {self.rate}")
        if not self.max_weight >= self.rate:
            raise UserError(
                f"max weight (Q) is {self.max_weight}, below the rate (eta) {self.rate}: raise Q or lower eta"
            )
        if not (np.isfinite(self.penalty) and self.penalty > 0):
            raise UserError(f"penalty (V) must be finite and greater than 0, given {self.penalty}")
        for name in ("eps_association", "eps_representation"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be in [0, 1), given {getattr(self, name)}")
        if self.eps_reading not in ("normalised", "literal"):
            raise UserError(f"eps_reading is {self.eps_reading!r}, expected 'normalised' or 'literal'")

    def tolerance(self, labels: int) -> np.ndarray:
        """The bound on |E[q g]| of each group for each label, and for representation last; (m, c + 1)."""
        eps = np.append(np.full(labels, self.eps_association), self.eps_representation)
        eps = np.tile(eps * self.rate if self.eps_reading == "normalised" else eps, (len(self.target), 1))
        if self.pairs is not None:
            # |E[q g]| <= E[q] = eta for all weights: no constraint.
            eps[:, :-1][~self.pairs] = self.rate
        return eps


@dataclass(frozen=True)
class Problem:
    """Eq. (4): patterns, and settings for the same groups and labels."""

    patterns: Patterns
    settings: M4Settings

    def __post_init__(self) -> None:
        groups, targets = self.patterns.sensitive.shape[1], len(self.settings.target)
        if groups != targets:
            raise UserError(f"there are {groups} sensitive groups but {targets} targets: give one a group")
        pairs, labels = self.settings.pairs, self.patterns.labels.shape[1]
        if pairs is not None and pairs.shape[1] != labels:
            raise UserError(
                f"pairs has {pairs.shape[1]} columns but there are {labels} labels: give one a label"
            )

    @property
    def tolerance(self) -> np.ndarray:
        """The bound on |E[q g]| of each group for each label, and for representation last; (m, c + 1)."""
        return self.settings.tolerance(self.patterns.labels.shape[1])


def bias_vector(sensitive: np.ndarray, labels: np.ndarray, settings: M4Settings) -> np.ndarray:
    """The bias vectors a of n examples (Algorithm 2), dense, (n, 2m(c+1)).

    The blocks are, in this order, (s-pi)y - eps_D, -(s-pi)y - eps_D, s-pi - eps_R, -(s-pi) - eps_R;
    in the first two, the label varies fastest. As printed, this is the normalised reading of eps. The
    entries of a pair that is not constrained are 0.
    """
    centred = sensitive - settings.target
    products = (centred[:, :, None] * labels[:, None, :]).reshape(len(sensitive), -1)
    used = np.ones(products.shape[1]) if settings.pairs is None else settings.pairs.ravel()
    eps_d, eps_r = settings.eps_association, settings.eps_representation
    return np.hstack(
        [(products - eps_d) * used, (-products - eps_d) * used, centred - eps_r, -centred - eps_r]
    )


def to_signed(v: np.ndarray, *, groups: int) -> np.ndarray:
    """Signed multipliers w = v+ - v-, (m, c+1), of v, (2m(c+1),), in the order of Algorithm 2.

    Column r < c belongs to the association with label r, the last one to representation.
    """
    pairs = len(v) // 2 - groups
    association = (v[:pairs] - v[pairs : 2 * pairs]).reshape(groups, -1)
    representation = v[2 * pairs : 2 * pairs + groups] - v[2 * pairs + groups :]
    return np.hstack([association, representation[:, None]])


def from_signed(w: np.ndarray) -> np.ndarray:
    """The v >= 0 of signed multipliers, with v+ or v- zero in each pair; inverse of :func:`to_signed`."""
    blocks = (w[:, :-1].ravel(), -w[:, :-1].ravel(), w[:, -1], -w[:, -1])
    return np.maximum(np.concatenate(blocks), 0.0)


def eps_offset(v: np.ndarray, settings: M4Settings) -> float:
    """The part of v'a that is due to the tolerances: eps'(v+ + v-) in the normalised reading, else 0."""
    if settings.eps_reading == "literal":
        return 0.0
    association, representation = np.split(v, [len(v) - 2 * len(settings.target)])
    return float(
        settings.eps_association * association.sum() + settings.eps_representation * representation.sum()
    )


def weights(
    sensitive: np.ndarray,
    labels: sparse.sparray | np.ndarray,
    utility: np.ndarray,
    *,
    v: np.ndarray,
    mu: float,
    settings: M4Settings,
) -> np.ndarray:
    """Weights q in [0, Q] of any examples, also new ones, from the dual variables alone (eq. 5).

    Eq. (5) with its two brackets equals ``clip(eta - (v'a + mu) / u, 0, Q)``.

    Parameters
    ----------
    sensitive, labels, utility : (n, m), (n, c) and (n,).
    v, mu : dual variables, v (2m(c+1),) in the order of Algorithm 2.
    """
    groups = len(settings.target)
    if sensitive.shape[1] != groups or len(v) != 2 * groups * (labels.shape[1] + 1):
        raise UserError(
            f"examples with {sensitive.shape[1]} groups and {labels.shape[1]} labels do not fit {groups} "
            f"targets and {len(v)} dual variables: give the groups and labels of the fit"
        )
    w = to_signed(v, groups=groups)
    by_group = labels @ w[:, :-1].T + w[:, -1]
    score = np.einsum("ik,ik->i", sensitive - settings.target, by_group) - eps_offset(v, settings)
    return np.clip(settings.rate - (score + mu) / utility, 0.0, settings.max_weight)
