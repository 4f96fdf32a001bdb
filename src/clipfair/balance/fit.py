"""From pattern counts to dual variables: targets, the solve, and the file that weighs any shard."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from clipfair.balance.table import Layout, decode, encode, layout_from
from clipfair.core.errors import UserError
from clipfair.core.io import read_json, write_json
from clipfair.m4 import M4Settings, Patterns, weights
from clipfair.m4.problem import distinct_rows

TargetRule = Literal["data", "uniform", "median"]


@dataclass(frozen=True)
class Weigher:
    """All that weighing an example needs (eq. 5): the columns, the settings, and (v, mu)."""

    layout: Layout
    settings: M4Settings
    v: np.ndarray
    mu: float

    def weigh_patterns(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sensitive, labels and weights of encoded rows."""
        sensitive, labels, utility = decode(rows, self.layout)
        q = weights(sensitive, labels, utility, v=self.v, mu=self.mu, settings=self.settings)
        return sensitive, labels, q

    def weigh(self, batch: pa.RecordBatch) -> np.ndarray:
        """The weights of a batch of examples, (n,)."""
        rows, index = distinct_rows(encode(batch, self.layout))
        return self.weigh_patterns(rows)[2][index]


def targets(
    patterns: Patterns,
    layout: Layout,
    *,
    rule: TargetRule = "data",
    given: Mapping[str, float] | None = None,
    families: Sequence[object] | None = None,
) -> np.ndarray:
    """The target proportion pi of each group, (m,).

    Parameters
    ----------
    rule : ``"data"`` keeps the proportions of the data; ``"uniform"`` gives each group the mean,
        ``"median"`` (the paper's appendix A.2.3) the median, of the proportions of its column's
        groups. A binary column has two groups, of which one is named, so that both give it 0.5.
    given : targets by group name, which override the rule.
    families : for each group what it shares with its siblings; by default its column.
    """
    given = dict(given or {})
    names = [indicator.name for indicator in layout.sensitive]
    for name, value in given.items():
        if name not in names:
            raise UserError(
                f"a target is given for {name!r}, which is no group: the groups are {', '.join(names)}"
            )
        if not 0 <= value <= 1:
            raise UserError(f"the target of {name!r} is {value}: expected a proportion in [0, 1]")
    proportions = patterns.share @ patterns.sensitive
    known = [indicator.column for indicator in layout.sensitive] if families is None else families
    middle = {"uniform": np.mean, "median": np.median}
    result = proportions.copy()
    for k, indicator in enumerate(layout.sensitive):
        if rule != "data":
            siblings = [j for j, family in enumerate(known) if family == known[k]]
            halves = families is None and indicator.value is None
            result[k] = 0.5 if halves else middle[rule](proportions[siblings])
        result[k] = given.get(indicator.name, result[k])
    return result


def write_dual(path: str | Path, weigher: Weigher) -> None:
    """Write a weigher as JSON; floats are exact, and no limit on the weights is null."""
    settings = asdict(weigher.settings) | {"target": weigher.settings.target.tolist()}
    settings["pairs"] = None if settings["pairs"] is None else settings["pairs"].tolist()
    settings["max_weight"] = settings["max_weight"] if np.isfinite(settings["max_weight"]) else None
    content = {
        "layout": asdict(weigher.layout),
        "settings": settings,
        "mu": weigher.mu,
        "v": weigher.v.tolist(),
    }
    write_json(path, content)


def read_dual(path: str | Path) -> Weigher:
    """Read what :func:`write_dual` wrote."""
    content = read_json(path)
    settings = content["settings"]
    settings["max_weight"] = np.inf if settings["max_weight"] is None else settings["max_weight"]
    return Weigher(
        layout_from(content["layout"]), M4Settings(**settings), np.array(content["v"]), content["mu"]
    )
