"""Recipes: training settings, and the resources of the job."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel
from clipfair.metrics.evaluated_distances import EVALUATED, named_distances
from clipfair.plan.configuration.types import (
    CatalogueEntry,
    Count,
    NotNegative,
    Positive,
    PositiveShare,
    Share,
    SomeIds,
    Unique,
    Where,
    Whole,
    word_or_own,
)

# Training has the paired scores alone, not those of L L.
TrackedDistance = word_or_own(*(name for name in EVALUATED if "square" not in name))
Prompts = Annotated[list[str], Field(min_length=2, max_length=2)]
FINE_TUNING = ("epochs", "label", "attributes", "prompts", "splits")


class SplitRows(SettingsModel):
    """Rows of the prepared table that form a split."""

    split: str
    """Value of the column `split`."""
    where: Where | None = None
    """Further conditions on columns, as in an evaluation."""


class Subsample(SettingsModel):
    """A subset of the training split, chosen by a hash of the keys: a share drawn with the seed of the run,
    or one of several disjoint subsets."""

    share: PositiveShare | None = None
    """Share of the examples that are kept. With the same seed, a smaller share is contained in a larger
    one."""
    attribute: str | None = None
    """The attribute whose groups have the proportions `shares`."""
    shares: dict[str, Share] | None = None
    """Group -> its share of the examples kept; sum 1."""
    disjoint: Count | None = None
    """Instead of a share: disjoint subsets of this size; the run with seed s is trained on subset s."""

    @model_validator(mode="after")
    def _chooses_in_one_way(self) -> Self:
        if (self.share is None) == (self.disjoint is None):
            raise ValueError("expected either share or disjoint")
        if (self.attribute is None) != (self.shares is None):
            raise ValueError("attribute and shares belong together; give both or neither")
        if self.shares is not None and self.disjoint is not None:
            raise ValueError("shares of groups belong to a share; disjoint parts have none")
        if self.shares is not None and not math.isclose(sum(self.shares.values()), 1, abs_tol=1e-9):
            raise ValueError(f"the shares sum to {sum(self.shares.values()):g}; expected 1")
        return self


class RecipeSplits(SettingsModel):
    """The three splits of a fine-tuning."""

    train: SplitRows
    validation: SplitRows
    test: SplitRows


class Recipe(CatalogueEntry):
    """Pretraining has `examples`; fine-tuning has `epochs`, `label`, `attributes`, `prompts` and `splits`."""

    batch_size: Count
    """Global batch size: examples that the loss contrasts, over all processes. A step of accumulated batches
    in fine-tuning has more."""
    examples: Count | None = None
    """Pretraining: total number of examples seen."""
    optimiser: Literal["adafactor", "adamw", "adam"]
    """adafactor: the implementation of big_vision (CLIP the Bias, appendix A.4)."""
    learning_rate: Positive
    """Peak learning rate."""
    weight_decay: NotNegative = 0.0
    """adafactor: not multiplied by the learning rate; adamw: multiplied by it; adam: a part of the
    gradient."""
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] | None = (
        None
    )
    """Betas of Adam and AdamW; [0.9, 0.999] unless given."""
    eps: Positive | None = None
    """Epsilon of Adam and AdamW; 1e-8 unless given."""
    decayed: Literal["kernels", "matrices"] | None = None
    """adamw: parameters with weight decay; matrices includes embeddings, as in LAVIS; kernels unless
    given."""
    schedule: Literal["rsqrt", "cosine", "cosine-by-epoch", "constant"]
    """Learning-rate schedule over all stages; cosine-by-epoch: that of LAVIS, whose warm-up ends with the
    epoch."""
    warmup: Whole = 0
    """Warm-up steps."""
    start: Share | None = None
    """Learning rate at the start of the warm-up, as a share of the peak; 0 unless given."""
    floor: Share | None = None
    """cosine: final learning rate, as a share of the peak."""
    timescale: Count | None = None
    """rsqrt: time scale in steps."""
    cooldown: Whole | None = None
    """rsqrt: number of final steps in which the learning rate falls to zero."""
    clip: Positive | None = None
    """Maximum gradient norm; null: no clipping."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: autocast; features and loss stay in 32 bits."""
    accumulate: Count = 1
    """Pretraining: number of parts into which the batch of each process is split; the loss is still that of
    the whole batch. Fine-tuning: number of batches per step, each with its own loss (see the switch
    `accumulation`)."""
    compile: bool = False
    """Compile both towers with torch.compile."""
    channels_last: bool = False
    """Use the channels-last memory format for convolutions and images; faster on GPUs with bf16, and for the
    small models on a CPU."""
    in_memory: bool = False
    """Pretraining: decode the dataset once and keep it in memory; for small datasets."""
    workers: Whole = 0
    """Pretraining: number of reading and decoding processes per training process."""
    open_shards: Count = 8
    """Pretraining: number of shards that are shuffled together."""
    snapshots: Annotated[list[PositiveShare], Unique] = []
    """Pretraining: shares of the examples after which the weights are saved."""
    checkpoint_minutes: NotNegative = 10.0
    """Minutes between checkpoints."""
    group_batch_size: Count | None = None
    """Fine-tuning: batch size of each group."""
    epochs: Count | None = None
    """Fine-tuning: number of passes over the training split."""
    label: str | None = None
    """Fine-tuning: the column that is predicted."""
    positive: str | None = None
    """Fine-tuning: the value of the label that counts as 1, unless the values are 0 and 1."""
    attributes: SomeIds | None = None
    """Fine-tuning: sensitive columns."""
    prompts: Prompts | None = None
    """Fine-tuning: prompts of label 0 and of label 1."""
    augment: bool | None = None
    """Fine-tuning: train on random crops, half of them mirrored, instead of resized images."""
    text_source: Literal["caption", "note", "label"] | None = None
    """Fine-tuning: source of the texts. caption (the default; for FairVLMed the summary); note: the original
    note; label: the prompt of the example's label."""
    max_characters: Count | None = None
    """Fine-tuning: maximum length of a text, which is cut at the last space before it; null: not cut."""
    splits: RecipeSplits | None = None
    """Fine-tuning: the rows of each split."""
    subsample: Subsample | None = None
    """Fine-tuning: subset of the training split; null: all of it."""
    measure_test: bool | None = None
    """Fine-tuning: also measure the test split after each epoch; true unless given. A method that selects the
    epoch on the test split does so in any case."""
    tracked: Annotated[list[TrackedDistance], Unique] = []
    """Fine-tuning: distances that are measured after each epoch where the test split is; also user-defined
    ones, `module:function`."""
    numerics: Literal["portable", "native"] | None = None
    """Numerical kernels of training, embedding and evaluation. portable: kernels that give the same bytes on
    x86-64 processors with AVX2; native: the fastest kernels; null: portable without GPUs, native with
    GPUs."""
    gpus: Whole = 0
    """Number of GPUs of the job, with one process each; 0: train on the CPU."""
    seeds_per_process: Count = 1
    """Number of seeds that one job trains one after another, which saves import time for small models; with
    3, the jobs train seeds 0 to 2, 3 to 5, and so on. With more than one, a single job also embeds and
    evaluates. Results do not depend on it."""
    keep_embeddings: bool = True
    """With several seeds_per_process: keep results/embed, which is not read again after the evaluation in the
    same job. No other result depends on it."""
    threads: Count
    """CPU cores of the job."""
    mem_mb: Count
    """Memory of the job, in MB."""
    minutes: Count
    """Time limit of the job, for each seed."""

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        missing = [key for key in FINE_TUNING if getattr(self, key) is None]
        if (self.examples is None) == bool(missing):
            raise ValueError(
                f"expected either examples (pretraining) or {', '.join(FINE_TUNING)} (fine-tuning); "
                f"missing {', '.join(missing) or 'neither'}"
            )
        if self.examples is not None and self.examples < self.batch_size:
            raise ValueError(f"{self.examples} examples are less than a batch of {self.batch_size}")
        return self

    @property
    def fine_tunes(self) -> bool:
        """Whether this is a recipe of fine-tuning."""
        return self.epochs is not None

    @property
    def chosen_numerics(self) -> str:
        """The numerics of its jobs."""
        return self.numerics or ("native" if self.gpus else "portable")

    def job_settings(self) -> dict:
        """All settings that affect the trained model, defaults included; None only where it has a meaning."""
        settings = self.model_dump(exclude_none=True, exclude={"seeds_per_process", "keep_embeddings"})
        settings["numerics"] = self.chosen_numerics
        settings["tracked"] = named_distances(self.tracked)
        if self.fine_tunes:
            settings["max_characters"] = self.max_characters
        return settings
