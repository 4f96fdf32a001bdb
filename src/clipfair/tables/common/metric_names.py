"""How the metrics of trained models are called in tables and figures, and in which unit they are printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """``text`` as an axis has it; values are multiplied by ``scale`` and have the ``unit``, "" for none."""

    text: str
    unit: str = "%"

    @property
    def scale(self) -> float:
        """From the value in metrics.json to the unit."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def axis(self) -> str:
        """With the unit in brackets."""
        return f"{self.text} ({self.unit})" if self.unit else self.text


NAMES = {
    "parity_mean": Name("mean p(man) - p(woman)", ""),
    "parity_median": Name("median p(man) - p(woman)", ""),
    "representation_bias": Name("representation bias", ""),
    "association_mean": Name("mean |p(y|man) - p(y|woman)|", ""),
    "association_median": Name("median |p(y|man) - p(y|woman)|", ""),
    "association_max": Name("max |p(y|man) - p(y|woman)|", ""),
    "pairwise_mean": Name("mean parity"),
    "pairwise_max": Name("max parity"),
    "gender_accuracy": Name("accuracy"),
    "gender_log_loss": Name("log-loss", "nats"),
    "accuracy": Name("zero-shot accuracy"),
    **{f"accuracy_{shots}shot": Name(f"{shots}-shot accuracy") for shots in (1, 5, 10, 25)},
    **{f"text_to_image_recall_{k}": Name(f"text-to-image recall@{k}") for k in (1, 5, 10)},
    **{f"image_to_text_recall_{k}": Name(f"image-to-text recall@{k}") for k in (1, 5, 10)},
}


def name_of(metric: str) -> Name:
    """The metric's name; of one that is not printed in the paper its own, without a unit."""
    return NAMES.get(metric, Name(metric.replace("_", " "), ""))
