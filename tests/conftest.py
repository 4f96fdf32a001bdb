import pytest

from clipfair.core.numerics import export_portable_numerics

# The kernels of jobs, also in processes that a test starts. Libraries choose them when they are imported.
export_portable_numerics()

from tests.repository import Repository  # noqa: E402


@pytest.fixture
def repository(tmp_path):
    """A small copy of the repository for one test."""
    return Repository(tmp_path)
