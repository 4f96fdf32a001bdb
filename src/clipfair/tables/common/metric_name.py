"""The display name of a metric in tables and figures, its unit, bounds and direction."""

from dataclasses import dataclass
from typing import Literal

PERCENT = "%"
ARROWS = {"higher": "↑", "lower": "↓", "zero": "→0"}
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "zero": "closer to 0 is better"}


@dataclass(frozen=True)
class MetricName:
    """The name of a metric in print; ``unit`` is empty for a number without a unit.

    Attributes
    ----------
    better : the direction of better values, ``zero`` if that is towards zero; empty if there is none.
    low, high : the bounds of the value in metrics.json; None where there is none.
    """

    text: str
    unit: str = PERCENT
    better: Literal["higher", "lower", "zero", ""] = ""
    low: float | None = 0.0
    high: float | None = 1.0

    @property
    def scale(self) -> float:
        """The factor from the value in metrics.json to the unit."""
        return 100.0 if self.unit == PERCENT else 1.0

    @property
    def axis(self) -> str:
        """The name with its unit in brackets, as an axis label; a pure number has no unit."""
        return f"{self.text} ({self.unit})" if self.unit not in ("", "1") else self.text

    @property
    def directed(self) -> str:
        """The axis label of a figure, with an arrow in the direction of better values."""
        label = self.axis.replace("^2", "²")
        return f"{label} {ARROWS[self.better]}" if self.better else label

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The bounds in the unit."""
        return tuple(None if bound is None else self.scale * bound for bound in (self.low, self.high))
