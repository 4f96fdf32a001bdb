"""Synthetic evaluations and epochs of all grids."""

import pytest

from tests.unit.tables.fairclip.synthetic_records import GRIDS, read_runs, write_epochs


@pytest.fixture(scope="package")
def records(tmp_path_factory):
    """The evaluations of all grids, three seeds each."""
    return read_runs(tmp_path_factory.mktemp("evaluate"), GRIDS)


@pytest.fixture(scope="package")
def epochs(tmp_path_factory):
    """The epochs of every run, in which distances fall and metrics are noise."""
    return write_epochs(tmp_path_factory.mktemp("train"), GRIDS)
