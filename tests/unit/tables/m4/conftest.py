"""Synthetic records of a sweep over models and conditions."""

import pytest

from tests.unit.tables.m4.synthetic_records import SWEEP, make_records


@pytest.fixture(scope="package")
def sweep():
    """The records of three models under three conditions."""
    return make_records(SWEEP)
