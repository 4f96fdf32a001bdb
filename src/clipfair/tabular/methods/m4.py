"""M4, the data balancing of *CLIP the Bias*, before training: its last row in Table 5.

Here the sensitive attribute and one label make a handful of patterns (s, y), four for two groups,
and the weights depend on these alone. The groups but the last, in alphabetical order, are the
indicators s_k: the last one follows from the others.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin, clone

from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys
from clipfair.m4 import bias, exact, problem
from clipfair.m4.rate import max_rate
from clipfair.m4.sampling import keep
from clipfair.tabular.outcome import Outcome
from clipfair.tabular.protocol import SplitData

TARGETS = ("data", "uniform")
USES = ("subsample", "reweigh")


@dataclass(frozen=True)
class Settings:
    """What section 5 of the paper leaves to the user, and appendix A.2.4 does not say.

    Attributes
    ----------
    use : ``"subsample"``, as the paper does throughout: keep a row with probability q / Q; or
        ``"reweigh"``: train on all rows with weights q / eta.
    target : pi. ``"data"``: the groups' shares in the training rows, so that only the association
        with the label is balanced; ``"uniform"``: equal shares.
    rate : eta, or ``"max"``: the largest at which all constraints hold, which is how the paper
        chooses it (on its own web data that came to 0.9).
    max_weight, penalty, eps_association, eps_representation : Q, V, eps_D and eps_R.
    """

    use: str = "subsample"
    target: str = "data"
    rate: float | str = "max"
    max_weight: float = 1.0
    penalty: float = 10.0
    eps_association: float = 0.0
    eps_representation: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("use", USES), ("target", TARGETS)):
            if getattr(self, name) not in known:
                raise UserError(f"m4: {name} is {getattr(self, name)!r}; known: {', '.join(known)}")
        if isinstance(self.rate, str) and self.rate != "max":
            raise UserError(f"m4: rate is {self.rate!r}, expected 'max' or a number > 0")
        if self.max_weight == np.inf and (self.use == "subsample" or self.rate == "max"):
            raise UserError("m4: max_weight must be finite to subsample or for rate 'max'")
        # The rest is checked where it is used; any targets and any rate that fits will do for that.
        self.asked(np.array([0.5]), rate=self.max_weight if self.rate == "max" else self.rate)

    def asked(self, target: np.ndarray, *, rate: float) -> problem.Settings:
        """These settings as :mod:`clipfair.m4` takes them."""
        return problem.Settings(
            target=target,
            rate=rate,
            max_weight=self.max_weight,
            penalty=self.penalty,
            eps_association=self.eps_association,
            eps_representation=self.eps_representation,
        )


def fit_predict(data: SplitData, settings: Settings, *, classifier: ClassifierMixin, seed: int) -> Outcome:
    """Balance the training rows, then fit the classifier to them."""
    sensitive = indicators(data.s_train, data.groups[:-1])
    labels = data.y_train[:, None]
    weights, details = balance(sensitive, labels, settings)
    if settings.use == "subsample":
        hashes = hash_keys(data.rows_train.astype(str), seed=seed)
        kept = keep(hashes, weights, max_weight=settings.max_weight)
        details |= {"rows_kept": int(kept.sum())}
        details |= _biases("kept", sensitive, labels, kept.astype(float), np.array(details["target"]))
        fitted = clone(classifier).fit(data.X_train[kept], data.y_train[kept])
    else:
        weights = weights / weights.mean()
        fitted = clone(classifier).fit(data.X_train, data.y_train, sample_weight=weights)
    return Outcome(fitted.predict(data.X_test), details)


def balance(sensitive: np.ndarray, labels: np.ndarray, settings: Settings) -> tuple[np.ndarray, dict]:
    """M4's weights q of each row, (n,), and how good they are.

    Parameters
    ----------
    sensitive, labels
        (n, m) and (n, c) indicators.
    """
    groups = sensitive.shape[1]
    target = sensitive.mean(axis=0) if settings.target == "data" else np.full(groups, 1 / (groups + 1))
    patterns, index = problem.collapse(sensitive, labels)
    rate = _rate(patterns, target, settings)
    solution = exact.solve(problem.Problem(patterns, settings.asked(target, rate=rate)))
    weights = solution.weights[index]
    details = {
        "target": target.tolist(),
        "rate": rate,
        "relative_gap": solution.certificate.relative_gap,
        "largest_violation": float(solution.certificate.violation.max()),
        **_biases("before", sensitive, labels, np.ones(len(weights)), target),
        **_biases("weighted", sensitive, labels, weights, target),
    }
    return weights, details


def indicators(groups: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(n, len(names)) uint8 array: is the row in that group?"""
    return (groups[:, None] == np.array(names, dtype=object)).astype(np.uint8)


def _rate(patterns: problem.Patterns, target: np.ndarray, settings: Settings) -> float:
    if settings.rate != "max":
        return float(settings.rate)
    rate = max_rate(
        patterns,
        target,
        max_weight=settings.max_weight,
        eps_association=settings.eps_association,
        eps_representation=settings.eps_representation,
    )
    if rate == 0:
        raise UserError(
            "m4: no rate > 0 satisfies the constraints on these rows; give a rate in place of 'max'"
        )
    return rate


def _biases(
    when: str, sensitive: np.ndarray, labels: np.ndarray, weights: np.ndarray, target: np.ndarray
) -> dict:
    """Definitions 1 and 2, in [0, 1]."""
    moments = bias.moments(sensitive, labels, weights)
    return {
        f"representation_bias_{when}": bias.representation_bias(moments, target),
        f"association_bias_{when}": bias.association_bias(moments),
    }
