"""The folder of a rehearsal: a copy of the repository, miniature data and weights, and their checksums."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clipfair.core.io import atomic_folder, sha256_of, write_text
from clipfair.plan.configuration_files import merge, read_file
from clipfair.plan.loading import load_study
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import fetched_models, fetched_vocabularies
from tests.rehearsal.datasets import WRITERS, write_dataset
from tests.rehearsal.shrink import small_configuration
from tests.rehearsal.weights import write_vocabulary, write_weights
from tests.repository import ROOT, copy_parts

CATALOGUE = "resources/datasets.yaml"
OVERLAY = "rehearsal.yaml"
# In the mirror folder: what replaces entries of the catalogue, and the checksums of weights.
MINIATURES, WEIGHTS = "datasets.yaml", "models.yaml"
REDUCTIONS = Path(__file__).with_name("overlay.yaml")


def prepare(folder: Path, studies: Sequence[str]) -> Path:
    """Write the copy, the mirror folder (if it is not there) and the overlay, whose path is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    mirror, path = folder / "mirror", folder / OVERLAY
    overlay = reduced(studies[0])
    _write_yaml(path, overlay)
    catalogue = read_file(ROOT / CATALOGUE)
    if not mirror.is_dir():
        with atomic_folder(mirror) as made:
            entries = {name: write_dataset(name, made, catalogue[name]) for name in WRITERS}
            _write_yaml(made / MINIATURES, entries)
            plans = [load_study(study, overlays=[path]) for study in studies]
            _write_yaml(made / WEIGHTS, {"models": _write_models(made, plans)})
    copy_parts(folder)
    _write_yaml(folder / CATALOGUE, catalogue | read_file(mirror / MINIATURES))
    _write_yaml(path, merge(overlay, read_file(mirror / WEIGHTS)))
    return path


def reduced(study: str) -> dict[str, Any]:
    """Return what the rehearsal changes in the configuration, but for the checksums of weights."""
    return merge(small_configuration(load_study(study).configuration), read_file(REDUCTIONS))


def _write_models(mirror: Path, plans: Sequence[StudyPlan]) -> dict[str, Any]:
    """Write the published weights and vocabularies of the studies' models; return their checksums."""
    changes: dict[str, Any] = {}
    plan = plans[0]
    models = plan.configuration.models
    used = {run.model for plan in plans for run in plan.batches}
    for name in fetched_vocabularies(plan):
        path = mirror / name / Path(models[name].vocabulary.url).name
        write_vocabulary(path)
        for other in _sharing(models, "vocabulary", name):
            merge(changes, {other: {"tokenizer": {"vocabulary": {"sha256": sha256_of(path)}}}})
    for name in fetched_models(plan):
        sharing = _sharing(models, "published", name)
        published = models[name].published
        if used & set(sharing):
            path = mirror / name / Path(published.url).name
            write_weights(path, models[name].job_settings(), _vocabulary_in(mirror))
            digest = None if published.sha256 is None else sha256_of(path)
            merge(changes, {other: {"weights": {"sha256": digest}} for other in sharing})
    return changes


def _sharing(models: Mapping[str, Any], key: str, name: str) -> list[str]:
    """Return the models whose published file is that of a model."""
    return [other for other, model in models.items() if getattr(model, key) == getattr(models[name], key)]


def _vocabulary_in(mirror: Path) -> Path:
    return next(mirror.rglob("vocab.txt"))


def _write_yaml(path: Path, value: Any) -> None:
    write_text(path, yaml.safe_dump(value, sort_keys=False))
