import pytest

from tests.repository import Repository


@pytest.fixture
def repository(tmp_path):
    """A small copy of the repository for one test."""
    return Repository(tmp_path)
