"""The weights of examples from the dual variables alone, and the file that keeps them."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from clipfair.balance.indicators import IndicatorLayout, decode, layout_from, layout_values
from clipfair.balance.table import one_line
from clipfair.core.errors import UserError
from clipfair.core.io import read_json, write_json
from clipfair.m4 import M4Settings, weights


@dataclass(frozen=True)
class Weigher:
    """Everything that the weight of an example depends on (eq. 5): the columns, the settings, and (v, mu).

    Attributes
    ----------
    layout : the indicators of the sensitive attributes and labels.
    settings : of M4.
    v : (2m(c+1),) dual variables in the order of Algorithm 2.
    mu : the dual variable of the mean weight.
    largest_weight : of the examples that were balanced; None if unknown.
    """

    layout: IndicatorLayout
    settings: M4Settings
    v: np.ndarray
    mu: float
    largest_weight: float | None = None

    @property
    def certain_weight(self) -> float:
        """The weight at which an example is certainly kept: the probability to keep another is in proportion.

        It is 1, where the share kept is eta, unless weights are larger; then it is the largest of them.
        """
        if self.largest_weight is None:
            return self.settings.max_weight
        return max(1.0, self.largest_weight)

    def weigh(self, batch: pa.RecordBatch, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The weights of a batch, (n,), from its distinct encoded rows and each example's index among
        them; a :data:`~clipfair.balance.weigh.WeightFunction`."""
        sensitive, labels, utility = decode(rows, self.layout)
        q = weights(sensitive, labels, utility, v=self.v, mu=self.mu, settings=self.settings)
        return q[index]


def write_dual(path: str | Path, weigher: Weigher) -> None:
    """Write a weigher as JSON."""
    write_json(path, dual_values(weigher))


def dual_values(weigher: Weigher) -> dict:
    """The values of a weigher for JSON; floats are exact, and no limit on the weights is None."""
    settings = asdict(weigher.settings) | {"target": weigher.settings.target.tolist()}
    settings["pairs"] = None if settings["pairs"] is None else settings["pairs"].tolist()
    settings["max_weight"] = settings["max_weight"] if np.isfinite(settings["max_weight"]) else None
    content = {
        "layout": layout_values(weigher.layout),
        "settings": settings,
        "mu": weigher.mu,
        "v": weigher.v.tolist(),
    }
    if weigher.largest_weight is not None:
        content["largest_weight"] = weigher.largest_weight
    return content


def read_dual(path: str | Path) -> Weigher:
    """Read a file of :func:`write_dual`.

    Raises
    ------
    UserError
        If it does not exist or is another file, such as the ``null`` of a condition that M4 did not make.
    """
    remedy = "give the dual.json of a table that M4 balanced"
    if not Path(path).is_file():
        raise UserError(f"{path}: {'a folder' if Path(path).is_dir() else 'no such file'}: {remedy}")
    content = read_json(path, remedy=remedy)
    if not isinstance(content, dict) or not {"layout", "settings", "mu", "v"} <= set(content):
        raise UserError(f"{path}: not a file of dual variables: {remedy}")
    try:
        weigher = weigher_from(content)
    except (TypeError, ValueError, KeyError, AttributeError, UserError) as error:
        raise UserError(
            f"{path}: damaged, or of another version ({one_line(error)}): balance the table again"
        ) from None
    return weigher


def weigher_from(content: dict) -> Weigher:
    """The weigher from its values as :func:`dual_values` gives them; an error of Python if they are not."""
    settings = dict(content["settings"])
    settings["max_weight"] = np.inf if settings["max_weight"] is None else settings["max_weight"]
    layout, settings = layout_from(content["layout"]), M4Settings(**settings)
    v, mu = np.array(content["v"], dtype=float), float(content["mu"])
    groups, labels = len(layout.sensitive), len(layout.labels)
    if len(settings.target) != groups or v.shape != (2 * groups * (labels + 1),):
        raise ValueError(f"{len(settings.target)} targets and {v.size} dual variables for {groups} groups")
    if not (np.isfinite(v).all() and np.isfinite(mu)):
        raise ValueError("a dual variable is not finite")
    largest = content.get("largest_weight")
    if largest is not None and not 0 < float(largest) < np.inf:
        raise ValueError(f"the largest weight is {largest}")
    return Weigher(layout, settings, v, mu, None if largest is None else float(largest))
