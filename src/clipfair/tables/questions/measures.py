"""The measures of the questions: their names in print, their units, and how several values become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipfair.tables.common.markdown import number

THRESHOLD_FREE = "threshold_free"
# The kind of a measure that is a mean over evaluations of several kinds.
SEVERAL = "several"
POINTS = "points"
FLOOR = "_floor"


@dataclass(frozen=True)
class QuestionMeasure:
    """A measure in print.

    Attributes
    ----------
    name : what tables print.
    unit : ``points`` of percent, or empty.
    better : ``lower`` or ``higher``; empty for distances.
    overall : it is of all examples, not of the groups of an attribute.
    """

    name: str
    unit: str = POINTS
    better: str = "lower"
    overall: bool = False

    @property
    def scale(self) -> float:
        """The factor from the value in metrics.json to the unit."""
        return 100.0 if self.unit == POINTS else 1.0


@dataclass(frozen=True)
class MeanOfMetrics:
    """A measure that is the mean over evaluations and metrics of all their examples, kind -> metrics."""

    metrics: Mapping[str, Sequence[str]]
    absolute: bool = False


MEASURES = {
    "auc": QuestionMeasure("AUC", better="higher", overall=True),
    "worst_auc": QuestionMeasure("AUC of the worst group", better="higher"),
    "matched_dpd": QuestionMeasure("matched DPD"),
    "matched_deodds": QuestionMeasure("matched DEOdds"),
    "auc_gap": QuestionMeasure("AUC gap"),
    "mean_dpd": QuestionMeasure("mean DPD over thresholds"),
    "abroca": QuestionMeasure("ABROCA"),
    "calibration_gap": QuestionMeasure("calibration gap"),
    "dpd": QuestionMeasure("DPD at one half"),
    "deodds": QuestionMeasure("DEOdds at one half"),
    "validation_auc": QuestionMeasure("AUC on validation", better="higher", overall=True),
    "validation_matched_dpd": QuestionMeasure("matched DPD on validation"),
    "own_w1": QuestionMeasure("W1 of the own-note score", "", ""),
    "own_w2": QuestionMeasure("W2 of the own-note score", "", ""),
    "own_w2_scale_free": QuestionMeasure("scale-free W2 of the own-note score", "", ""),
    "margin_w1": QuestionMeasure("W1 of the margin", "", ""),
    "margin_w2": QuestionMeasure("W2 of the margin", "", ""),
    "margin_w1_within_labels": QuestionMeasure("W1 of the margin within labels", "", ""),
    "margin_w2_within_labels": QuestionMeasure("W2 of the margin within labels", "", ""),
    "parity": QuestionMeasure("representation bias", "", overall=True),
    "association": QuestionMeasure("association bias", "", overall=True),
    "classification": QuestionMeasure("classification", better="higher", overall=True),
    "retrieval": QuestionMeasure("retrieval", better="higher", overall=True),
}
DISTANCES = [name for name, measure in MEASURES.items() if not measure.better]
FAIRNESS = [
    *("matched_dpd", "matched_deodds", "auc_gap", "mean_dpd", "abroca", "calibration_gap", "dpd", "deodds"),
]
MEANS = {
    "parity": MeanOfMetrics({"representation": ["parity_mean"]}, absolute=True),
    "association": MeanOfMetrics({"association": ["association_mean"]}),
    "classification": MeanOfMetrics({"zero_shot": ["accuracy"], "few_shot": ["accuracy_10shot"]}),
    "retrieval": MeanOfMetrics({"retrieval": ["image_to_text_recall_5", "text_to_image_recall_5"]}),
}


def measure_of(metric: str) -> str:
    """The measure of a metric of the analysis plan."""
    return "matched_dpd" if metric == "spread" else metric.replace("-", "_")


def describe(measure: str) -> QuestionMeasure:
    """A measure in print; of a sampling floor that of its metric, named so."""
    found = MEASURES[measure.removesuffix(FLOOR)]
    if measure.endswith(FLOOR):
        return QuestionMeasure(f"{found.name}, sampling floor", found.unit, found.better, found.overall)
    return found


def show(value: float, unit: str, *, sign: str = "") -> str:
    """A value in print: points with one decimal, others with three; a dash if undefined."""
    return number(value, decimals=1 if unit == POINTS else 3, sign=sign)


def show_interval(mean: float, low: float, high: float, unit: str, *, sign: str = "") -> str:
    """``-5.8 [-11.1, -0.5]``; the mean alone without an interval."""
    text = show(mean, unit, sign=sign)
    return text if low != low else f"{text} [{show(low, unit, sign=sign)}, {show(high, unit, sign=sign)}]"
