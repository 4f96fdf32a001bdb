"""Recipes: how a model is trained, and what its job asks for."""

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
    """Which rows of the prepared table are a split."""

    split: str
    """Value of the column `split`."""
    where: Where | None = None
    """Further columns and their values, as in an evaluation."""


class Subsample(SettingsModel):
    """A part of the training split, chosen by a hash of the keys: a share that the seed of the run draws, or
    one of disjoint parts."""

    share: PositiveShare | None = None
    """Share of the examples that are kept. With the same seed a smaller share is a part of a larger one."""
    attribute: str | None = None
    """The attribute whose groups get the shares `shares`."""
    shares: dict[str, Share] | None = None
    """Group: its share of the examples kept; sum 1."""
    disjoint: Count | None = None
    """Instead of a share: disjoint parts of so many examples; the run with seed s is trained on part s."""

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
    """Examples over all processes that the loss contrasts; those of a step, but for accumulated batches."""
    examples: Count | None = None
    """Pretraining: examples seen in all."""
    optimiser: Literal["adafactor", "adamw", "adam"]
    """adafactor: big_vision's (CLIP the Bias, appendix A.4)."""
    learning_rate: Positive
    """The peak."""
    weight_decay: NotNegative = 0.0
    """adafactor: not multiplied by the learning rate; adamw: multiplied; adam: a part of the gradient."""
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] | None = (
        None
    )
    """Of Adam and AdamW; [0.9, 0.999] unless given."""
    eps: Positive | None = None
    """Of Adam and AdamW; 1e-8 unless given."""
    decayed: Literal["kernels", "matrices"] | None = None
    """adamw: what decays; matrices: embeddings, too, as LAVIS; kernels unless given."""
    schedule: Literal["rsqrt", "cosine", "cosine-by-epoch", "constant"]
    """Of the learning rate, over all stages; cosine-by-epoch: LAVIS's, whose warm-up ends with the epoch."""
    warmup: Whole = 0
    """Steps up to the peak."""
    start: Share | None = None
    """The learning rate at the start of the warm-up as a share of the peak; 0 unless given."""
    floor: Share | None = None
    """Of a cosine: the last learning rate as a share of the peak."""
    timescale: Count | None = None
    """rsqrt: its time scale, in steps."""
    cooldown: Whole | None = None
    """rsqrt: steps to zero at the end."""
    clip: Positive | None = None
    """Largest norm of the gradient; null: not clipped."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: autocast; features and loss stay in 32 bits."""
    accumulate: Count = 1
    """Pretraining: parts that each process's batch is split into; the loss stays that of the whole batch.
    Fine-tuning: batches of a step, each with a loss of its own (see the switch accumulation)."""
    compile: bool = False
    """Compile both towers by torch.compile."""
    channels_last: bool = False
    """Store the weights of convolutions, and so images, with channels last; faster on GPUs with bf16, and
    for the small models on a CPU."""
    in_memory: bool = False
    """Pretraining: decode the dataset once and keep it in memory; for small ones."""
    workers: Whole = 0
    """Pretraining: processes that read and decode, for each process that trains."""
    open_shards: Count = 8
    """Pretraining: shards that are shuffled together."""
    snapshots: Annotated[list[PositiveShare], Unique] = []
    """Pretraining: shares of the examples after which the weights are kept."""
    checkpoint_minutes: NotNegative = 10.0
    """Minutes between two checkpoints."""
    group_batch_size: Count | None = None
    """Fine-tuning: examples of each group's batch."""
    epochs: Count | None = None
    """Fine-tuning: passes over the training split."""
    label: str | None = None
    """Fine-tuning: the column that is predicted."""
    positive: str | None = None
    """Fine-tuning: the label's value that is 1, unless it is 0 and 1."""
    attributes: SomeIds | None = None
    """Fine-tuning: sensitive columns."""
    prompts: Prompts | None = None
    """Fine-tuning: prompts of label 0 and of label 1."""
    augment: bool | None = None
    """Fine-tuning: train on random crops, half of them mirrored, instead of the resized images."""
    text_source: Literal["caption", "note", "label"] | None = None
    """Fine-tuning: caption unless given (of FairVLMed the summary); note: the original note; label: the
    prompt of the example's label."""
    max_characters: Count | None = None
    """Fine-tuning: where texts are cut, back to the last space; null: not cut."""
    splits: RecipeSplits | None = None
    """Fine-tuning: the rows of each split."""
    subsample: Subsample | None = None
    """Fine-tuning: the part of the training split that is trained on; null: all of it."""
    measure_test: bool | None = None
    """Fine-tuning: measure the test split after each epoch, too; true unless given. A method that selects the
    epoch on it does so in any case."""
    tracked: Annotated[list[TrackedDistance], Unique] = []
    """Fine-tuning: distances measured where the test split is, after each epoch; also your own,
    `module:function`."""
    numerics: Literal["portable", "native"] | None = None
    """Of training, embedding and evaluation. portable: kernels that give the same bytes on x86-64 processors
    with AVX2; native: the fastest; null: portable without GPUs, native with."""
    gpus: Whole = 0
    """GPUs of the job, one process each; 0 trains on the CPU."""
    seeds_per_process: Count = 1
    """Seeds that one job trains one after another, which saves the imports of small models; with 3 these are
    seeds 0 to 2, 3 to 5, and so on. With more than one, one job also embeds and evaluates. It changes no
    result."""
    keep_embeddings: bool = True
    """With several seeds_per_process: keep results/embed, which nothing reads after the evaluation in the
    same job. It changes no other result."""
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
        """Whether it is one of fine-tuning."""
        return self.epochs is not None

    @property
    def chosen_numerics(self) -> str:
        """The numerics of its jobs."""
        return self.numerics or ("native" if self.gpus else "portable")

    def job_settings(self) -> dict:
        """All that decides the trained model, defaults included; None only where it says something."""
        settings = self.model_dump(exclude_none=True, exclude={"seeds_per_process", "keep_embeddings"})
        settings["numerics"] = self.chosen_numerics
        settings["tracked"] = named_distances(self.tracked)
        if self.fine_tunes:
            settings["max_characters"] = self.max_characters
        return settings
