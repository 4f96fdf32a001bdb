"""The arguments of python -m clipfair.train."""

import pytest

from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.train.launch import run_request


def test_a_request_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"request\.json: no such file; give a JSON file"):
        run_request(tmp_path / "request.json")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "missing a required argument: 'settings'"),
        ({"setings": {}}, "missing a required"),
        ([], "mapping"),
    ],
)
def test_a_request_that_is_none(tmp_path, request_, message):
    write_json(tmp_path / "request.json", request_)
    with pytest.raises(UserError, match=message):
        run_request(tmp_path / "request.json")
