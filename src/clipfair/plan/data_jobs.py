"""Jobs that make data: fetched, generated, prepared, annotated, balanced; by dataset."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.splitting import split_evenly
from clipfair.data.fetch import mirror_folder
from clipfair.data.shards import list_shards
from clipfair.plan.configuration.data import DatasetAnnotation
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import fetched_weights, model_settings


@dataclass(frozen=True)
class AnnotationJob:
    """The annotation of one dataset.

    Attributes
    ----------
    settings : all that decides it besides files and code.
    raw : the folder of the dataset.
    encoder : the file of the encoder: fetched weights, or one fitted to the dataset.
    vocabularies : the files of the vocabularies, relative to the repository.
    files : the annotations that conditions are made from.
    rewritten : the captions with neutral words, by shard.
    gpus : 1 if the encoder may run on a GPU.
    """

    settings: Mapping
    raw: str
    encoder: str
    vocabularies: list[str]
    files: list[str]
    rewritten: list[str]
    gpus: int

    @property
    def encoder_kind(self) -> str:
        """The kind of the encoder of images."""
        return self.settings["encoder"]["kind"]

    @property
    def labels_prefix(self) -> str:
        """``caption_`` if the labels of the annotator are read by ``caption_labels``, not by ``labels``."""
        return "caption_" if self.settings["annotator"]["labels"] == "captions" else ""


@cache
def annotation_job(plan: StudyPlan, dataset: str) -> AnnotationJob:
    """The annotation of a dataset.

    Raises
    ------
    UserError
        If the configuration does not say how it is annotated.
    """
    annotation = annotation_of(plan, dataset)
    encoder = annotation.encoder
    is_clip = encoder is not None and encoder.kind == "clip"
    own = paths.ENCODER.format(study=plan.study, dataset=dataset)
    return AnnotationJob(
        settings=_annotation_settings(plan, dataset, annotation),
        raw=plan.raw_of(dataset),
        encoder=fetched_weights(plan, encoder.model) if is_clip else own,
        vocabularies=[f"resources/vocabulary/{name}.yaml" for name in annotation.vocabularies],
        files=_annotation_files(plan, dataset, annotation),
        rewritten=shards_of(plan, dataset, paths.SHARD_NEUTRAL),
        gpus=int(encoder is not None and encoder.device in ("cuda", "auto")),
    )


def annotation_of(plan: StudyPlan, dataset: str) -> DatasetAnnotation:
    """The annotation entry of a dataset.

    Raises
    ------
    UserError
        If the configuration does not say so.
    """
    annotations = plan.configuration.annotations
    if dataset not in annotations:
        raise UserError(f"annotations: no entry of dataset {dataset!r}; known: {', '.join(annotations)}")
    return annotations[dataset]


def shards_of(plan: StudyPlan, dataset: str, template: str) -> list[str]:
    """``template`` (with {shard}, and where wanted {study} and {dataset}) for every annotated shard."""
    return [
        template.format(study=plan.study, dataset=dataset, shard=name) for name in _shard_files(plan, dataset)
    ]


def shard_paths(plan: StudyPlan, dataset: str) -> list[str]:
    """The files of the annotated shards in the folder that the dataset is fetched into."""
    return [f"{plan.raw_of(dataset)}/{file}" for file in _shard_files(plan, dataset).values()]


@cache
def _shard_files(plan: StudyPlan, dataset: str) -> dict[str, str]:
    """The shards that are there, fetched or in the mirror folder: name -> file in the dataset's folder.

    For synthetic data, and before there are any shards, the names are 00000 and on, as many as the
    annotation's ``shards``.
    """
    count = annotation_of(plan, dataset).shards
    folders = [] if dataset in plan.configuration.generated or not count else _data_folders(plan, dataset)
    for folder in folders:
        if found := list_shards(folder):
            return {name: path.relative_to(folder).as_posix() for name, path in found.items()}
    return {f"{index:05d}": f"{paths.SHARDS}/{index:05d}.tar" for index in range(count)}


def _data_folders(plan: StudyPlan, dataset: str) -> list[str]:
    raw, mirror = plan.raw_of(dataset), mirror_folder(plan.configuration.mirror)
    return [raw] if mirror is None else [raw, f"{mirror}/{dataset}"]


def _annotation_settings(plan: StudyPlan, dataset: str, annotation: DatasetAnnotation) -> dict:
    settings = {
        "dataset": dataset,
        **annotation.model_dump(exclude_none=True, exclude={"shards", "shards_per_job"}),
    }
    for part in ("encoder", "annotator"):
        settings.setdefault(part, {})
    if settings["encoder"].get("kind") == "clip":
        settings["encoder"]["model"] = model_settings(plan, annotation.encoder.model)
    return settings


def _annotation_files(plan: StudyPlan, dataset: str, annotation: DatasetAnnotation) -> list[str]:
    if annotation.source == "labels":
        return [plan.prepared_of(dataset)]
    if annotation.source == "captions":
        return [paths.CAPTION_ANNOTATIONS.format(study=plan.study, dataset=dataset)]
    return shards_of(plan, dataset, paths.SHARD_ANNOTATIONS)


@dataclass(frozen=True)
class ConditionJob:
    """One condition of a dataset: its settings, and the files that it is made from.

    Attributes
    ----------
    settings : all that decides it besides files and code.
    annotations, rewritten : files by shard; rewritten captions only where they are used.
    within : the keep-list that it chooses from, if there is one.
    groups : the names of the groups of shards that jobs of their own count and sample; none if one job makes
        the condition.
    """

    settings: Mapping
    annotations: list[str]
    rewritten: list[str]
    within: list[str]
    groups: list[str]

    def of_group(self, files: Sequence[str], group: str) -> list[str]:
        """The files, of all shards or of none, that belong to a group."""
        return split_evenly(files, len(self.groups))[int(group)]


@cache
def condition_job(plan: StudyPlan, dataset: str, balance: str) -> ConditionJob:
    """A condition of a dataset."""
    condition, annotation = plan.configuration.balances[balance], annotation_job(plan, dataset)
    within = condition.within
    given = condition.job_settings()
    groups = math.ceil(len(annotation.files) / annotation_of(plan, dataset).shards_per_job)
    return ConditionJob(
        settings={
            "kind": condition.kind,
            "settings": {key: given[key] for key in given if key not in ("kind", "seed", "within")},
            "seed": condition.seed,
            "within": within,
        },
        annotations=annotation.files,
        rewritten=annotation.rewritten if condition.kind == "neutralise" else [],
        within=[paths.KEEP.format(study=plan.study, dataset=dataset, balance=within)] if within else [],
        groups=[str(number) for number in range(groups)] if groups > 1 else [],
    )


def generated_settings(plan: StudyPlan, dataset: str) -> dict:
    """All that decides a synthetic dataset besides the code."""
    return plan.configuration.generated[dataset].model_dump(exclude={"format", "draws"})


def generated_datasets(plan: StudyPlan) -> list[str]:
    """The synthetic datasets that have files: all but the families, of which the draws have."""
    return [name for name in plan.configuration.generated if not plan.is_family(name)]


def fetched_datasets(plan: StudyPlan) -> list[str]:
    """The datasets that are fetched: all but the synthetic ones."""
    return [name for name in plan.datasets if name not in plan.configuration.generated]


def loader_settings(plan: StudyPlan, dataset: str) -> dict:
    """All that decides a prepared table besides the files and the code: what is checked against."""
    entry = plan.datasets[dataset]
    return {
        "dataset": dataset,
        "version": entry.version,
        "format": entry.format_id,
        # A synthetic dataset has its format's loader, not its counts.
        "subset": dataset in plan.configuration.subset or dataset in plan.configuration.generated,
        "expected": asdict(entry.expected),
    }
