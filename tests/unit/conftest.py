import pytest

from clipfair.core import paths
from clipfair.core.catalogue import load_catalogue
from clipfair.core.errors import UserError


@pytest.fixture(scope="session")
def catalogue():
    """Every dataset of ``resources/datasets.yaml``."""
    return load_catalogue(paths.CATALOGUE)


@pytest.fixture(scope="session")
def error_of():
    """Returns a function that calls one that must fail, and the one line that a person gets."""

    def call(function, *args, **kwargs):
        with pytest.raises(UserError) as error:
            function(*args, **kwargs)
        assert "\n" not in str(error.value)
        return str(error.value)

    return call
