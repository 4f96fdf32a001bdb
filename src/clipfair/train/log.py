"""log.csv: the terms of the loss and other quantities, in rows of several steps each."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from clipfair.core.io import write_csv

ROWS = 100


@dataclass
class TrainingLog:
    """Rows, each with the means over the steps since the row before.

    Attributes
    ----------
    every : steps per row.
    batch_size : examples per step.
    """

    every: int
    batch_size: int
    rows: list[dict] = field(default_factory=list)
    _sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _steps: int = 0
    _since: float = field(default_factory=time.monotonic)

    def ends_row(self, step: int) -> bool:
        """Return True if a row ends with step number ``step``."""
        return step % self.every == 0

    def add(self, step: int, values: Mapping[str, float], current: Mapping[str, float]) -> None:
        """Add step number ``step``: a row has the mean of ``values``, and ``current`` of its last step."""
        for name, value in values.items():
            self._sums[name] += value
        self._steps += 1
        if self.ends_row(step):
            means = {name: total / self._steps for name, total in self._sums.items()}
            speed = self._steps * self.batch_size / (time.monotonic() - self._since)
            self.rows.append(
                {
                    "step": step,
                    "examples": step * self.batch_size,
                    **means,
                    **current,
                    "images_per_second": round(speed, 1),
                }
            )
            self._sums.clear()
            self._steps, self._since = 0, time.monotonic()

    def write(self, path: str) -> None:
        """Write the rows as CSV."""
        write_csv(path, pd.DataFrame(self.rows))

    def state_dict(self) -> dict:
        """Return the rows, and the sums of the next one."""
        return {"rows": self.rows, "sums": dict(self._sums), "steps": self._steps}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state; the clock restarts."""
        self.rows = [dict(row) for row in state["rows"]]
        self._sums = defaultdict(float, state["sums"])
        self._steps, self._since = state["steps"], time.monotonic()
