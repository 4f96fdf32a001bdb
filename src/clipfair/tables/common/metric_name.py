"""The display name of a metric in tables and figures, and the unit in which it is printed."""

from dataclasses import dataclass

PERCENT = "%"


@dataclass(frozen=True)
class MetricName:
    """The name of a metric in print; ``unit`` is empty for a number without a unit."""

    text: str
    unit: str = PERCENT

    @property
    def scale(self) -> float:
        """The factor from the value in metrics.json to the unit."""
        return 100.0 if self.unit == PERCENT else 1.0

    @property
    def axis(self) -> str:
        """The name with its unit in brackets, as an axis label."""
        return f"{self.text} ({self.unit})" if self.unit else self.text
