"""Measures of the FairCLIP tables: their names in print, their units, and groups of them."""

from clipfair.tables.common.metric_name import PERCENT, MetricName

# Measure in metrics.json -> its name and unit. Shares in [0, 1] are printed in percent.
MEASURES = {
    "auc": MetricName("AUC"),
    "es_auc": MetricName("ES-AUC"),
    "dpd": MetricName("DPD"),
    "deodds": MetricName("DEOdds"),
    "accuracy": MetricName("accuracy"),
    "es_accuracy": MetricName("ES-accuracy"),
    "selection_rate": MetricName("selection rate"),
    "disparity_std": MetricName("disparity (std)"),
    "disparity_range": MetricName("disparity (range)"),
    "distance_sinkhorn": MetricName("Sinkhorn distance", "score^2"),
    "distance_wasserstein": MetricName("exact distance", "score^2"),
    "distance_scale_free": MetricName("scale-free distance", "1"),
    "distance_laplacian": MetricName("Laplacian MMD", "1"),
    "distance_gaussian": MetricName("Gaussian MMD", "1"),
    "distance_square_sinkhorn": MetricName("Sinkhorn distance of diag(LL)", "score^2"),
    "distance_square_wasserstein": MetricName("exact distance of diag(LL)", "score^2"),
    "distance_square_scale_free": MetricName("scale-free distance of diag(LL)", "1"),
    "validation_auc": MetricName("validation AUC"),
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
