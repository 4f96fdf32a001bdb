"""Synthetic datasets, annotations, conditions and schedules."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from clipfair.core.settings import SettingsModel
from clipfair.plan.condition_settings import ConditionSettings, M4ConditionSettings, ShareConditionSettings
from clipfair.plan.configuration.types import CatalogueEntry, Count, Share, Whole

Vocabulary = Literal["gender", "occupations", "proxies", "humans", "objects"]


class GeneratedDataset(CatalogueEntry):
    """A part of the synthetic world, written in the format of a real dataset."""

    part: Literal["web", "faces", "named-faces", "scenes", "objects", "textures", "captions", "fundus"]
    """Part of the synthetic world (docs/synthetic-data.md)."""
    format: str
    """Id of the dataset whose file format and loader are used."""
    seed: Whole = 0
    """Random seed."""
    draws: Count | None = None
    """Number of datasets in the family `<id>-draw-<d>`; draw d has the seed `seed` + d. A run with seed s
    reads draw s modulo `draws` where its dataset, or the dataset of an evaluation, is the family. null: one
    dataset."""
    settings: dict[str, Any] = {}
    """Overrides of the part's defaults (src/clipfair/data/embedded/)."""


class AnnotationEncoder(SettingsModel):
    """The image and text encoder of annotated pairs."""

    kind: Literal["linear", "clip"]
    """linear: fitted to the pairs of the first `fit_shards` shards, without labels; clip: an entry of
    `models` with published weights."""
    fit_shards: Count | None = None
    """linear: number of shards to fit the encoder to."""
    model: str | None = None
    """clip: id in `models`."""
    batch_size: Count | None = None
    """clip: images encoded at once; 256 unless given."""
    device: Literal["cpu", "cuda", "auto"] | None = None
    """auto: a GPU if there is one; cpu unless given."""


class AnnotatorEntry(SettingsModel):
    """The image annotator, fitted or calibrated on the labelled pairs of the first `labelled_shards`
    shards."""

    kind: Literal["probe", "zero_shot"]
    """probe: logistic regression on image features; zero_shot: CLIP's similarity with prompts."""
    labels: str
    """A parquet file of labels in the dataset's folder, or `captions`: the attributes that captions
    mention."""
    labelled_shards: Count
    """Number of shards with labels."""
    categories: list[str]
    """Columns of the labels file that hold a category name; with captions: attributes of the vocabularies."""
    flags: dict[str, str] = {}
    """Label -> column with values 0 and 1; with captions: label -> attribute, any value of which counts."""


class DatasetAnnotation(CatalogueEntry):
    """Annotation of the dataset with the same id."""

    source: Literal["pairs", "captions", "labels"]
    """pairs: shards of images and captions, both annotated; captions: texts alone; labels: the prepared table
    holds the annotations."""
    vocabularies: list[Vocabulary] = []
    """Files in resources/vocabulary."""
    shards: Whole = 0
    """pairs: number of shards. For real data it is used only until the data are present; then the shards in
    their folder are counted."""
    shards_per_job: Count = 2000
    """pairs: shards handled by one job when it counts the patterns or samples the examples of a condition. If
    there are no more shards than this, one job makes the whole condition."""
    encoder: AnnotationEncoder | None = None
    annotator: AnnotatorEntry | None = None
    max_bad_share: Share = 0.0
    """Largest accepted share of unreadable examples in a shard; a larger share stops the job."""


class ConditionEntry(CatalogueEntry):
    """Selection of training examples from an annotated dataset."""

    seed: Whole = 0
    """Sampling seed."""
    within: str | None = None
    """Id in `balances`: select only from the examples of that condition."""


class AllExamples(ConditionEntry, ConditionSettings):
    """All examples."""

    kind: Literal["all"]


class BalancedExamples(ConditionEntry, M4ConditionSettings):
    """Balancing by M4 (CLIP the Bias, section 5)."""

    kind: Literal["m4"]


class QualityExamples(ConditionEntry, ShareConditionSettings):
    """Filtering by quality: the share of examples whose image and caption agree best."""

    kind: Literal["quality"]


class DroppedHumanExamples(ConditionEntry, ShareConditionSettings):
    """All examples but a share of those that show or mention people."""

    kind: Literal["drop_human"]


class NeutralisedExamples(ConditionEntry, ConditionSettings):
    """All examples, with the gendered words of their captions rewritten."""

    kind: Literal["neutralise"]


Condition = Annotated[
    AllExamples | BalancedExamples | QualityExamples | DroppedHumanExamples | NeutralisedExamples,
    Field(discriminator="kind"),
]


def _check_schedule(stages: list[tuple[str, float]]) -> list[tuple[str, float]]:
    total = sum(Decimal(str(share)) for _, share in stages)
    if total != 1:
        raise ValueError(f"the shares add up to {total}; expected 1")
    return stages


Stage = Annotated[
    tuple[str, Annotated[float, Field(gt=0, lt=1)]],
    # YAML has lists; strict pydantic does not accept them as tuples.
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
]
Schedule = Annotated[list[Stage], Field(min_length=2), AfterValidator(_check_schedule)]
