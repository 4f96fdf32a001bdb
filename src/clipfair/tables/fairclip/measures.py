"""Measures of the FairCLIP tables: their names in print, their units, and groups of them."""

from clipfair.tables.common.metric_name import PERCENT, MetricName


def _distance(text: str, unit: str) -> MetricName:
    """A distance that did not converge can be negative, so it has no bound."""
    return MetricName(text, unit, "lower", low=None, high=None)


# Measure in metrics.json -> its name and unit. Shares in [0, 1] are printed in percent.
MEASURES = {
    "auc": MetricName("AUC", better="higher"),
    "es_auc": MetricName("ES-AUC", better="higher"),
    "dpd": MetricName("DPD", better="lower"),
    "deodds": MetricName("DEOdds", better="lower"),
    "accuracy": MetricName("accuracy", better="higher"),
    "es_accuracy": MetricName("ES-accuracy", better="higher"),
    "selection_rate": MetricName("selection rate"),
    "disparity_std": MetricName("disparity (std)", better="lower", high=None),
    "disparity_range": MetricName("disparity (range)", better="lower", high=None),
    "distance_sinkhorn": _distance("Sinkhorn distance", "score^2"),
    "distance_wasserstein": _distance("exact distance", "score^2"),
    "distance_scale_free": _distance("scale-free distance", "1"),
    "distance_laplacian": _distance("Laplacian MMD", "1"),
    "distance_gaussian": _distance("Gaussian MMD", "1"),
    "distance_square_sinkhorn": _distance("Sinkhorn distance of diag(LL)", "score^2"),
    "distance_square_wasserstein": _distance("exact distance of diag(LL)", "score^2"),
    "distance_square_scale_free": _distance("scale-free distance of diag(LL)", "1"),
    "validation_auc": MetricName("validation AUC", better="higher"),
}
FAIRNESS = ("auc", "es_auc", "dpd", "deodds")
GROUP_MEASURES = (
    *FAIRNESS,
    "accuracy",
    "es_accuracy",
    "selection_rate",
    "disparity_std",
    "disparity_range",
)
OVERALL = ("auc", "accuracy", "selection_rate")  # also measured on all examples, for no attribute
DISTANCES = ("distance_sinkhorn", "distance_wasserstein", "distance_scale_free")
# Distances of the released score diag(LL), which the published ones are of, too.
SQUARE_DISTANCES = (
    "distance_square_sinkhorn",
    "distance_square_wasserstein",
    "distance_square_scale_free",
)


def cell_name(attribute: str, measure: str, group: str) -> str:
    """``race: AUC asian``: the name of a metric in print, as in the published tables."""
    return f"{attribute}: {measure} {group}".removeprefix(": ").rstrip()


def show(value: float, unit: str) -> str:
    """A value in print: percent with two decimals, others with three significant digits; a dash if NaN."""
    if value != value:
        return "-"
    return f"{value:.2f}" if unit == PERCENT else f"{value:.3g}"


def show_with_std(mean: float, std: float, unit: str) -> str:
    """``69.44 ± 1.66``; the mean alone if the deviation is undefined."""
    return show(mean, unit) if std != std else f"{show(mean, unit)} ± {show(std, unit)}"
