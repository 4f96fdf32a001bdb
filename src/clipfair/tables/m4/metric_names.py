"""Display names of the metrics in the tables and figures of CLIP the Bias."""

from clipfair.tables.common.metric_name import MetricName


def _accuracy(text: str) -> MetricName:
    return MetricName(text, better="higher")


NAMES = {
    "parity_mean": MetricName("mean p(man) - p(woman)", "", "zero", low=-1),
    "parity_median": MetricName("median p(man) - p(woman)", "", "zero", low=-1),
    "representation_bias": MetricName("representation bias", "", "lower"),
    "association_mean": MetricName("mean |p(y|man) - p(y|woman)|", "", "lower"),
    "association_median": MetricName("median |p(y|man) - p(y|woman)|", "", "lower"),
    "association_max": MetricName("max |p(y|man) - p(y|woman)|", "", "lower"),
    "pairwise_mean": MetricName("mean parity", better="lower"),
    "pairwise_max": MetricName("max parity", better="lower"),
    "gender_accuracy": _accuracy("accuracy"),
    "gender_log_loss": MetricName("log-loss", "nats", "lower", high=None),
    "accuracy": _accuracy("zero-shot accuracy"),
    **{f"accuracy_{shots}shot": _accuracy(f"{shots}-shot accuracy") for shots in (1, 5, 10, 25)},
    **{f"text_to_image_recall_{k}": _accuracy(f"text-to-image recall@{k}") for k in (1, 5, 10)},
    **{f"image_to_text_recall_{k}": _accuracy(f"image-to-text recall@{k}") for k in (1, 5, 10)},
}


def metric_name(metric: str) -> MetricName:
    """The display name of a metric; its identifier without a unit if it has none."""
    return NAMES.get(metric, MetricName(metric.replace("_", " "), "", low=None, high=None))
