"""A small copy of the repository that trains (slice.yaml)."""

from pathlib import Path

import yaml

from clipfair.plan.configuration_files import merge
from tests.repository import Repository


def training_repository(folder: Path) -> Repository:
    """Return a small copy of the repository whose study trains two models and makes a table of them."""
    repository = Repository(folder)
    changes = yaml.safe_load(Path(__file__).with_name("slice.yaml").read_text(encoding="utf-8"))

    repository.edit_yaml("config.yaml", lambda config: merge(config, changes))
    return repository
