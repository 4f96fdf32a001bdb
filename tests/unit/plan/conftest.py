import pytest

from clipfair.core.paths import ROOT
from clipfair.plan.configuration_files import configuration_files, merge, read_configuration
from clipfair.plan.loading import load_plan


@pytest.fixture(scope="session")
def plan_of():
    """Returns a function that makes the plan of a study, with further settings merged over the files."""

    def make(study="embedded", overlay=None):
        config = merge(read_configuration(configuration_files(ROOT)), overlay or {})
        return load_plan(config | {"study": study})

    return make
