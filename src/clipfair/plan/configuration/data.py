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
    """Id of the dataset whose file format and loader it has."""
    seed: Whole = 0
    """Of its random numbers."""
    draws: Count | None = None
    """A family: so many datasets `<id>-draw-<d>`, with the seeds `seed` + d. A run with seed s reads the draw
    s modulo `draws`, wherever its dataset or that of an evaluation is the family."""
    settings: dict[str, Any] = {}
    """What differs from the part's defaults (src/clipfair/data/embedded/)."""


class AnnotationEncoder(SettingsModel):
    """The image and text encoder of annotated pairs."""

    kind: Literal["linear", "clip"]
    """linear: fitted to the pairs of the first `fit_shards` shards, without labels; clip: an entry of
    `models` with published weights."""
    fit_shards: Count | None = None
    """linear: shards that it is fitted to."""
    model: str | None = None
    """clip: id in `models`."""
    batch_size: Count | None = None
    """clip: images encoded at once; 256 unless given."""
    device: Literal["cpu", "cuda", "auto"] | None = None
    """auto: a GPU if there is one; cpu unless given."""


class AnnotatorEntry(SettingsModel):
    """What annotates images, fitted or calibrated on the labelled pairs of the first `labelled_shards`
    shards."""

    kind: Literal["probe", "zero_shot"]
    """probe: logistic regression on image features; zero_shot: CLIP's similarity with prompts."""
    labels: str
    """A parquet file of labels in the dataset's folder; or captions: the attributes that captions mention."""
    labelled_shards: Count
    """Shards with labels."""
    categories: list[str]
    """Columns of the labels that hold a value's name; of captions: attributes of the vocabularies."""
    flags: dict[str, str] = {}
    """Label: column of 0 and 1; of captions: attribute of which any value counts."""


class DatasetAnnotation(CatalogueEntry):
    """How the dataset of the same id is annotated."""

    source: Literal["pairs", "captions", "labels"]
    """pairs: shards of images and captions, both annotated; captions: texts alone; labels: the prepared table
    holds the annotations."""
    vocabularies: list[Vocabulary] = []
    """Files in resources/vocabulary."""
    shards: Whole = 0
    """pairs: number of shards; for data that are not synthetic only until they are there, as then the shards
    in their folder count."""
    shards_per_job: Count = 2000
    """pairs: shards of which one job counts the patterns, and one samples the examples, of a condition. One
    job makes the whole condition if there are no more shards."""
    encoder: AnnotationEncoder | None = None
    annotator: AnnotatorEntry | None = None
    max_bad_share: Share = 0.0
    """Largest share of unreadable examples in a shard; more stop the job."""


class ConditionEntry(CatalogueEntry):
    """Which examples of an annotated dataset are trained on."""

    seed: Whole = 0
    """Of the sampling."""
    within: str | None = None
    """Id in `balances`: choose among that condition's examples alone."""


class AllExamples(ConditionEntry, ConditionSettings):
    """All examples."""

    kind: Literal["all"]


class BalancedExamples(ConditionEntry, M4ConditionSettings):
    """Balanced by M4 (CLIP the Bias, section 5)."""

    kind: Literal["m4"]


class QualityExamples(ConditionEntry, ShareConditionSettings):
    """The share of examples whose image and caption agree best."""

    kind: Literal["quality"]


class DroppedHumanExamples(ConditionEntry, ShareConditionSettings):
    """Without a share of the examples that show or mention people."""

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
    # YAML has lists, which strict pydantic takes for no tuple.
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
]
Schedule = Annotated[list[Stage], Field(min_length=2), AfterValidator(_check_schedule)]
