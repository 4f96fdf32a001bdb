"""Functions of the user's own that do not exist stop the plan."""

import pytest

LOSS = {"methods": {"mine": {"kind": "pretrain", "loss": "nowhere:f", "temperature": 10}}}
DISTANCE = {"methods": {"mine": {"name": "Mine", "like": "a-fairclip", "distance": {"kind": "nowhere:f"}}}}


@pytest.mark.parametrize(
    ("methods", "grids"),
    [
        (LOSS, {"m4-neutralise": {"methods": ["clip", "mine"]}}),
        (DISTANCE, {"fair-aligned": {"methods": ["a-fairclip", "mine"]}}),
    ],
)
def test_a_module_that_is_not_found(plan_of, error_of, methods, grids):
    assert "methods.mine: no module 'nowhere'" in error_of(plan_of, overlay=methods | {"grids": grids})


def test_an_unused_function_is_not_looked_for(plan_of):
    assert "mine" in plan_of(overlay=LOSS).configuration.methods
