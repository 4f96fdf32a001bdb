"""Display names of the metrics in the tables and figures of CLIP the Bias."""

from clipfair.tables.common.metric_name import MetricName

NAMES = {
    "parity_mean": MetricName("mean p(man) - p(woman)", ""),
    "parity_median": MetricName("median p(man) - p(woman)", ""),
    "representation_bias": MetricName("representation bias", ""),
    "association_mean": MetricName("mean |p(y|man) - p(y|woman)|", ""),
    "association_median": MetricName("median |p(y|man) - p(y|woman)|", ""),
    "association_max": MetricName("max |p(y|man) - p(y|woman)|", ""),
    "pairwise_mean": MetricName("mean parity"),
    "pairwise_max": MetricName("max parity"),
    "gender_accuracy": MetricName("accuracy"),
    "gender_log_loss": MetricName("log-loss", "nats"),
    "accuracy": MetricName("zero-shot accuracy"),
    **{f"accuracy_{shots}shot": MetricName(f"{shots}-shot accuracy") for shots in (1, 5, 10, 25)},
    **{f"text_to_image_recall_{k}": MetricName(f"text-to-image recall@{k}") for k in (1, 5, 10)},
    **{f"image_to_text_recall_{k}": MetricName(f"image-to-text recall@{k}") for k in (1, 5, 10)},
}


def metric_name(metric: str) -> MetricName:
    """The display name of a metric; its identifier without a unit if it has none."""
    return NAMES.get(metric, MetricName(metric.replace("_", " "), ""))
