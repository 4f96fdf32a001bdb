"""Mapping of entries of the configuration to published rows (resources/published/mapping.yaml)."""

from pathlib import Path

from clipfair.core import paths
from clipfair.core.settings import SettingsModel, parse_settings
from clipfair.plan.configuration_files import read_file

MAPPING = "resources/published/mapping.yaml"


class PublishedTable(SettingsModel):
    """The rows and columns of our entries in one published table."""

    rows: dict[str, str] = {}
    """Id of a method, mitigation or condition -> row; {attr} is replaced by the attribute of the run."""
    variants: dict[str, str] = {}
    """Id of a method or mitigation that is another reading of a published row than the one in `rows` -> that
    row."""
    datasets: dict[str, str] = {}
    """Id of an evaluation or task -> value of the column `dataset`."""
    metrics: dict[str, str] = {}
    """Id of a metric -> value of the column `metric`."""


def read_published_tables() -> dict[str, PublishedTable]:
    """Every published table by ``<paper>/<table>``.

    Raises
    ------
    UserError
        If the file is not as it should be.
    """
    entries = read_file(paths.ROOT / MAPPING)
    return parse_settings(dict[str, PublishedTable], entries, where=MAPPING)


def published_file(table: str) -> str:
    """The file of a published table ``<paper>/<table>``, relative to the repository."""
    return str(Path("resources/published", f"{table.split('/')[0]}.csv"))
