"""A small copy of the repository that trains (slice.yaml)."""

from pathlib import Path

import yaml

from tests.repository import Repository


def training_repository(folder: Path) -> Repository:
    """Return a small copy of the repository whose study trains two models and makes a table of them."""
    repository = Repository(folder)
    changes = yaml.safe_load(Path(__file__).with_name("slice.yaml").read_text(encoding="utf-8"))

    def cut(config: dict) -> None:
        config["annotations"]["embedded-web"] |= {"shards": 2}
        config["annotations"]["embedded-web"]["encoder"]["fit_shards"] = 1
        for key, value in changes.items():
            config[key] = config[key] | value

    repository.edit_yaml("config.yaml", cut)
    return repository
