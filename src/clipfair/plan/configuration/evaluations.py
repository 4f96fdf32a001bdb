"""Evaluations: data and settings of the measurements on a model."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clipfair.metrics.evaluated_distances import EVALUATED, PREFIX, named_distances
from clipfair.plan.configuration.recipes import Prompts
from clipfair.plan.configuration.types import (
    CatalogueEntry,
    Count,
    NotNegative,
    Positive,
    Share,
    SomeIds,
    Unique,
    Where,
    Whole,
    word_or_own,
)

Template = Annotated[str, Field(pattern=r"\{\}")]
Support = Where | Annotated[list[Where], Field(min_length=1)]
GroupDistance = word_or_own(*(name.removeprefix(PREFIX) for name in EVALUATED))


class ModelEvaluation(CatalogueEntry):
    """Common settings."""

    dataset: str
    """Id of the dataset."""
    split: str
    """Value of the dataset's column `split`."""
    where: Where | None = None
    """Further conditions on the examples: column -> value or list of values. `hash_rank: {below: n}` selects
    the first n of the examples that meet the other conditions, in the order of a hash of their keys, and
    `hash_rank: {from: n}` the rest. null: no conditions, even if the entry named by `like` has some."""

    def job_settings(self) -> dict:
        """The settings given; `where` is omitted if it has no conditions."""
        settings = super().job_settings()
        return settings if self.where else {key: settings[key] for key in settings if key != "where"}


class EmbeddedEvaluation(ModelEvaluation):
    """Common settings of the kinds that read image embeddings."""

    resize: Count | None = None
    """Size in pixels to which images are resized before the centre crop to the model's image size; null: they
    are resized to the model's image size."""


class RepresentationEvaluation(EmbeddedEvaluation):
    """Representation bias: the model's choice of words for images without people (CLIP the Bias, section
    4.1)."""

    kind: Literal["representation"]
    attributes: Annotated[list[str], Field(min_length=2), Unique]
    """The words to choose from."""
    target: list[Share] | None = None
    """Target shares pi, one for each word; equal shares unless given."""
    template: Template | None = None
    """Template into which a word is inserted; "{}" unless given."""
    images: Count | None = None
    """Number of images drawn at random; all unless given."""
    seed: Whole | None = None
    """Seed of that draw."""

    @model_validator(mode="after")
    def _draw_has_a_seed(self) -> Self:
        if self.images is not None and self.seed is None:
            raise ValueError("missing seed, which images needs")
        return self


class AssociationEvaluation(EmbeddedEvaluation):
    """Association bias between occupations and a perceived attribute (CLIP the Bias, section 4.2)."""

    kind: Literal["association"]
    attribute: str
    """Column of the groups."""
    groups: Annotated[dict[str, str], Field(min_length=2, max_length=2)]
    """Two words -> values of the attribute; the bias is that of the first minus that of the second."""
    occupations: str | SomeIds
    """The occupations, or the vocabulary in resources/vocabulary that lists them."""
    neutral: str
    """The text that each occupation is compared with."""
    template: Template | None = None
    """Template into which a word is inserted; "{}" unless given."""


class ZeroShotEvaluation(EmbeddedEvaluation):
    """Zero-shot classification."""

    kind: Literal["zero_shot"]
    classes: Literal["labels", "imagenet"]
    """The values of the column `label`, or ImageNet's names as published with CLIP."""
    templates: Literal["clip"] | Annotated[list[Template], Field(min_length=1)]
    """Templates whose embeddings are averaged for a class; clip: the 80 published with CLIP and the bare
    name."""


class FewShotEvaluation(EmbeddedEvaluation):
    """Few-shot classification."""

    kind: Literal["few_shot"]
    support: Support
    """Examples from which shots are drawn: column -> value or list of values; or a list of such
    conditions."""
    shots: Annotated[list[Count], Field(min_length=1), Unique]
    """Numbers of examples per class."""
    seeds: Annotated[list[Whole], Field(min_length=1), Unique]
    """Seeds of the draws."""


class RetrievalEvaluation(EmbeddedEvaluation):
    """Retrieval of captions by images, and of images by captions."""

    kind: Literal["retrieval"]
    captions: Literal["all"]
    """all: use every caption of an image."""


class GroupFairnessEvaluation(EmbeddedEvaluation):
    """Zero-shot detection of a binary label, by group (docs/fairclip-protocol.md)."""

    kind: Literal["group_fairness"]
    label: str
    """Column that is predicted."""
    positive: str | None = None
    """The value of the label that counts as 1, unless the values are 0 and 1."""
    prompts: Prompts
    """Prompts of label 0 and of label 1."""
    sensitive: SomeIds
    """Columns of the groups."""
    captions: Literal["all"] | None = None
    """all: embed each example's own text, for the distances."""
    max_characters: Count | None = None
    """Maximum length of those texts, which are cut at the last space before it."""
    distances: Annotated[list[GroupDistance], Unique] | None = None
    """Distances of every group to all examples. sinkhorn: as released, not converged; square: of the released
    score. Or user-defined distances, `module:function`."""

    @model_validator(mode="after")
    def _distances_need_captions(self) -> Self:
        if self.distances and self.captions is None:
            raise ValueError("missing captions, which distances needs")
        return self

    def job_settings(self) -> dict:
        """The settings given, with the settings of each distance by its metric."""
        settings = super().job_settings()
        return settings | {"distances": named_distances(self.distances)} if self.distances else settings


class ValidatedEvaluation(EmbeddedEvaluation):
    """Settings of the kinds that predict a binary label and fit or choose something on validation."""

    label: str
    """Column that is predicted."""
    positive: str | None = None
    """The value of the label that counts as 1, unless the values are 0 and 1."""
    sensitive: SomeIds
    """Columns of the groups."""
    support: Support
    """Validation examples, to which threshold and recalibration are fitted; conditions as in few-shot
    classification."""


class MarginEvaluation(ValidatedEvaluation):
    """Settings of the kinds with the metrics of threshold_free (docs/evaluation.md)."""

    intersections: Annotated[list[Annotated[list[str], Field(min_length=2), Unique]], Unique] | None = None
    """Attributes of `sensitive` whose groups are combined."""
    resamples: Count | None = None
    """Resamples of the BCa intervals, which take one more evaluation per example; no intervals unless
    given."""

    @model_validator(mode="after")
    def _intersections_are_of_its_attributes(self) -> Self:
        known = set(self.sensitive)
        for several in self.intersections or []:
            if not known.issuperset(several):
                raise ValueError(f"intersections: {several} are not all among sensitive")
        return self


class ThresholdFreeEvaluation(MarginEvaluation):
    """Group metrics without a fixed threshold, next to those of group_fairness (docs/evaluation.md)."""

    kind: Literal["threshold_free"]
    prompts: Prompts
    """Prompts of label 0 and of label 1."""
    captions: Literal["all"] | None = None
    """all: embed each example's own text, for the distances of the score of the image with it."""
    max_characters: Count | None = None
    """Maximum length of those texts, which are cut at the last space before it."""


class GroupThresholdsEvaluation(ValidatedEvaluation):
    """A separate threshold for each group, chosen on validation (docs/evaluation.md)."""

    kind: Literal["group_thresholds"]
    prompts: Prompts
    """Prompts of label 0 and of label 1."""


class DeepFeatureReweightingEvaluation(MarginEvaluation):
    """A last layer that is fitted to group-balanced validation data (docs/evaluation.md)."""

    kind: Literal["deep_feature_reweighting"]
    balanced: str
    """The attribute of `sensitive` whose cells with the label are balanced."""

    @model_validator(mode="after")
    def _balances_one_of_its_attributes(self) -> Self:
        if self.balanced not in self.sensitive:
            raise ValueError(f"balanced: {self.balanced!r} is not among sensitive")
        return self


# The defaults of a probe's training (ProbeSettings in clipfair.evaluate.probe.head).
PROBE_EPOCHS, PROBE_WARM_UP = 500, 10


class LinearProbeEvaluation(ModelEvaluation):
    """A linear probe of a binary label, by group."""

    kind: Literal["linear_probe"]
    label: str
    """Column that is predicted."""
    positive: str | None = None
    """The value of the label that counts as 1, unless the values are 0 and 1."""
    sensitive: SomeIds
    """Columns of the groups."""
    support: Support
    """Examples for fitting the probe and for choosing the epoch; conditions as in few-shot classification."""
    validation: str
    """The split of the support that chooses the epoch."""
    feature: Literal["embedding", "pre-logits", "first-query", "max-query", "all-queries"]
    """Input of the probe. With BLIP2: the mean (pre-logits), the first, the maximum or all of the queries;
    the last three with `augmented` only."""
    head: Literal["lars", "logistic", "best-query"] | None = None
    """lars (the default): a linear head trained with LARS; logistic: a logistic regression (C = 0.316) on
    images that are not augmented; best-query: no head, BLIP2's zero-shot classification with `prompts`
    (with `augmented` only)."""
    prompts: Prompts | None = None
    """best-query: prompts of label 0 and of label 1."""
    captions: Literal["all"] | None = None
    """all: concatenate the features of each example's own text (with `augmented` only)."""
    caption_words: Count | None = None
    """Maximum number of words after those texts are processed as in LAVIS."""
    max_characters: Count | None = None
    """Maximum length of those texts, which are cut at the last space before it."""
    augmented: bool = False
    """Fit to augmented images: the frozen model encodes them at every step."""
    dropout: bool | None = None
    """Run the model in training mode while the head is fitted, as released (with `augmented` only)."""
    epochs: Count | None = None
    """Number of passes over the support; 500 unless given."""
    batch_size: Annotated[int, Field(ge=2)] | None = None
    """Batch size."""
    base_rate: Positive | None = None
    """Learning rate for a batch size of 256."""
    momentum: NotNegative | None = None
    """LARS momentum."""
    trust: Positive | None = None
    """LARS trust coefficient."""
    weight_decay: NotNegative | None = None
    """LARS weight decay."""
    warm_up: Count | None = None
    """Warm-up epochs; 10 unless given."""
    every: Count | None = None
    """Number of epochs between evaluations."""
    reshuffle: bool | None = None
    """Shuffle again in each epoch."""

    @model_validator(mode="after")
    def _reads_images(self) -> Self:
        needs_images = {
            f"feature: {self.feature}": self.feature not in ("embedding", "pre-logits"),
            "head: best-query": self.head == "best-query",
            "captions": self.captions is not None,
            "dropout": bool(self.dropout),
        }
        found = [key for key, needs in needs_images.items() if needs]
        if found and not self.augmented:
            raise ValueError(f"{found[0]} needs the images; set augmented: true")
        if self.head == "best-query" and self.prompts is None:
            raise ValueError("missing prompts, which head: best-query needs")
        return self

    @model_validator(mode="after")
    def _trains_after_the_warm_up(self) -> Self:
        epochs, warm_up = self.epochs or PROBE_EPOCHS, self.warm_up or PROBE_WARM_UP
        if self.head in (None, "lars") and warm_up >= epochs:
            raise ValueError(f"a warm_up of {warm_up} epochs leaves none of {epochs}; set a smaller warm_up")
        return self


Evaluation = Annotated[
    RepresentationEvaluation
    | AssociationEvaluation
    | ZeroShotEvaluation
    | FewShotEvaluation
    | RetrievalEvaluation
    | GroupFairnessEvaluation
    | ThresholdFreeEvaluation
    | GroupThresholdsEvaluation
    | DeepFeatureReweightingEvaluation
    | LinearProbeEvaluation,
    Field(discriminator="kind"),
]
