"""M4 as an estimator with scikit-learn's conventions."""

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Patterns, Problem, Solution, collapse, solve, weights
from clipfair.m4.problem import as_matrix
from clipfair.m4.rate import solve_at_max_rate

_PENALTY = 10.0


class InvalidInputError(UserError, ValueError):
    """Data or parameters that cannot be balanced; a ValueError as scikit-learn's estimators raise."""


@contextlib.contextmanager
def _value_errors() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise InvalidInputError(str(error)) from None


class M4Balancer(BaseEstimator):
    """Weights under which groups have target proportions and are not associated with labels.

    The weights solve eq. (4) of *CLIP the Bias* (section 5) exactly; ``certificate_`` bounds their distance
    to the optimum. They do not make a model: use them as ``sample_weight``, or train on :meth:`sample`.

    Parameters
    ----------
    target : (m,) proportions pi of the groups, or ``"data"``, the proportions of the data.
    rate : eta, the mean weight; ``"max"``: the largest at which every constraint holds.
    max_weight : Q, the largest weight; 1 to subsample, more or infinity to reweigh.
    penalty : V, the price of one unit of violation; None: 10, and at rate ``"max"`` as much as is needed.
    eps_association, eps_representation : tolerances eps_D and eps_R, in [0, 1).

    Attributes
    ----------
    weights_ : (n,) weights q of the examples of the fit, in [0, Q], with mean ``rate_`` (eq. 5).
    certificate_ : :class:`clipfair.m4.Certificate`: duality gap and violations.
    target_, rate_, penalty_ : pi, eta and V as used.
    v_, mu_ : dual variables, in the order of Algorithm 2.
    n_features_in_, feature_names_in_ : of the groups; the names only if they were given in a data frame.

    Examples
    --------
    >>> import numpy as np
    >>> women, engineers = np.array([[1], [1], [1], [0], [0], [0]]), np.array([[1], [0], [0], [1], [1], [0]])
    >>> balancer = M4Balancer(rate="max").fit(women, engineers)
    >>> balancer.weights_.round(2)
    array([1. , 0.5, 0.5, 0.5, 0.5, 1. ])
    """

    def __init__(
        self,
        *,
        target: ArrayLike | str = "data",
        rate: float | str = 0.9,
        max_weight: float = 1.0,
        penalty: float | None = None,
        eps_association: float = 0.0,
        eps_representation: float = 0.0,
    ):
        self.target = target
        self.rate = rate
        self.max_weight = max_weight
        self.penalty = penalty
        self.eps_association = eps_association
        self.eps_representation = eps_representation

    def fit(
        self,
        X: ArrayLike,  # noqa: N803  # scikit-learn's name
        y: ArrayLike | None = None,
        utility: ArrayLike | None = None,
    ) -> "M4Balancer":
        """Solve eq. (4) for the examples.

        Parameters
        ----------
        X : (n, m) sensitive attributes s, 0 or 1 or probabilities: array, data frame, list or sparse matrix.
        y : (n, c) labels, or (n,) one label; without labels only the proportions are balanced.
        utility : (n,) utilities u > 0; 1 for all when not given.

        Raises
        ------
        InvalidInputError
            If shapes, values or settings are impossible, or no rate satisfies every constraint.
        """
        with _value_errors():
            sensitive = as_matrix(X, "X")
            if sensitive.shape[1] == 0:
                raise UserError(
                    f"X has 0 feature(s) (shape={sensitive.shape}) while a minimum of 1 is required: "
                    "give a column for each group"
                )
            patterns, index = collapse(sensitive, _label_matrix(y, len(sensitive)), utility)
            self._settings, solution = self._solve(patterns, sensitive)
        self.n_features_in_ = sensitive.shape[1]
        self._set_feature_names(X)
        self.target_, self.rate_, self.penalty_ = (
            self._settings.target,
            self._settings.rate,
            self._settings.penalty,
        )
        self.v_, self.mu_, self.certificate_ = solution.v, solution.mu, solution.certificate
        self.weights_ = solution.weights[index]
        return self

    def weigh(
        self,
        X: ArrayLike,  # noqa: N803  # scikit-learn's name
        y: ArrayLike | None = None,
        utility: ArrayLike | None = None,
    ) -> np.ndarray:
        """The weights of other examples by the dual variables alone (eq. 5), (n,)."""
        check_is_fitted(self)
        with _value_errors():
            sensitive = as_matrix(X, "X")
            self._check_features(X, sensitive)
            patterns, index = collapse(sensitive, _label_matrix(y, len(sensitive)), utility)
            q = weights(
                patterns.sensitive,
                patterns.labels,
                patterns.utility,
                v=self.v_,
                mu=self.mu_,
                settings=self._settings,
            )
        return q[index]

    def sample(self, random_state: int | np.random.RandomState | None = None) -> np.ndarray:
        """The rows of a subsample in which each example is with probability q / max(1, largest q), sorted.

        The share kept is eta in expectation unless weights exceed 1 (section 5).
        """
        check_is_fitted(self)
        uniform = check_random_state(random_state).random_sample(len(self.weights_))
        return np.flatnonzero(uniform < self.weights_ / max(1.0, self.weights_.max()))

    def _solve(self, patterns: Patterns, sensitive: np.ndarray) -> tuple[M4Settings, Solution]:
        is_max = isinstance(self.rate, str)
        if is_max and (self.rate != "max" or not np.isfinite(self.max_weight)):
            raise UserError(f"rate is {self.rate!r}: expected a number, or 'max' with a finite max_weight")
        settings = M4Settings(
            target=self._target(sensitive),
            rate=self.max_weight if is_max else self.rate,
            max_weight=self.max_weight,
            penalty=_PENALTY if self.penalty is None else self.penalty,
            eps_association=self.eps_association,
            eps_representation=self.eps_representation,
        )
        if not is_max:
            return settings, solve(Problem(patterns, settings))
        _, settings, solution = solve_at_max_rate(patterns, settings, raise_penalty=self.penalty is None)
        return settings, solution

    def _target(self, sensitive: np.ndarray) -> ArrayLike:
        if not isinstance(self.target, str):
            return self.target
        if self.target != "data":
            raise UserError(f"target is {self.target!r}: expected 'data' or a proportion for each group")
        return sensitive.mean(axis=0)

    def _set_feature_names(self, groups: ArrayLike) -> None:
        names = _names(groups)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _check_features(self, groups: ArrayLike, sensitive: np.ndarray) -> None:
        """Raise unless the groups are those of the fit."""
        if sensitive.shape[1] != self.n_features_in_:
            raise UserError(
                f"X has {sensitive.shape[1]} features, but M4Balancer is expecting {self.n_features_in_} "
                "features as input: give the groups of the fit"
            )
        names, known = _names(groups), getattr(self, "feature_names_in_", None)
        if names is not None and known is not None and names != list(known):
            raise UserError(
                f"X has the columns {', '.join(names)}, but the fit had {', '.join(known)}: give the same "
                "in the same order"
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.target_tags.multi_output = True
        return tags


def _names(groups: ArrayLike) -> list[str] | None:
    """The names of the columns of a data frame, if all are text."""
    names = getattr(groups, "columns", None)
    return list(names) if names is not None and all(isinstance(name, str) for name in names) else None


def _label_matrix(labels: ArrayLike | None, rows: int) -> np.ndarray:
    """Labels as a matrix; no columns without labels, one for a vector."""
    if labels is None:
        return np.zeros((rows, 0), dtype=np.uint8)
    return as_matrix(np.reshape(labels, (-1, 1)) if np.ndim(labels) == 1 else labels, "y")
