"""Errors of typed settings: one line with the place, the value and what was expected."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from clipfair.core.errors import UserError
from clipfair.core.settings import SettingsModel, parse_settings

Share = Annotated[float, Field(ge=0, le=1)]


class Wheel(SettingsModel):
    size: int = Field(ge=1)
    """Inches."""


class Bicycle(SettingsModel):
    wheels: Sequence[Wheel] = ()
    load: Share | Literal["max"] = "max"
    shares: Literal["equal"] | Mapping[str, Share] = "equal"
    parts: Mapping[str, Wheel] = {}

    @model_validator(mode="after")
    def _check_wheels(self):
        if len(self.wheels) > 2:
            raise ValueError("a bicycle has at most two wheels")
        return self


def test_values_of_the_right_types_are_taken_and_others_have_their_defaults():
    bicycle = parse_settings(Bicycle, {"wheels": [{"size": 28}], "load": 1}, where="bicycle")
    assert bicycle == Bicycle(wheels=[Wheel(size=28)], load=1.0)
    assert bicycle.shares == "equal"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"weels": []},
            "shop.bike: unknown setting 'weels' (did you mean 'wheels'?); known: load, parts, shares",
        ),
        ({"wheels": [{"size": 28}, {"sise": 2}]}, "shop.bike.wheels[1]: unknown setting 'sise'"),
        ({"wheels": [{}]}, "shop.bike.wheels[0]: missing setting 'size'"),
        ({"wheels": [{"size": 0}]}, "shop.bike.wheels[0].size: 0 should be greater than or equal to 1"),
        ({"wheels": [{"size": True}]}, "shop.bike.wheels[0].size: True should be a valid integer"),
        ({"wheels": [{"size": "28"}]}, "shop.bike.wheels[0].size: '28' should be a valid integer"),
        ({"wheels": "two"}, "shop.bike.wheels: 'two' should be a list"),
        ({"wheels": [28]}, "shop.bike.wheels[0]: 28 should be a mapping"),
        ({"wheels": [{"size": 28}] * 3}, "shop.bike: a bicycle has at most two wheels"),
        ({"load": "full"}, "shop.bike.load: 'full' should be a valid number or 'full' should be 'max'"),
        ({"load": float("nan")}, "shop.bike.load: nan should be"),
        ({"shares": {"left": 2}}, "shop.bike.shares.left: 2 should be less than or equal to 1"),
        ({"parts": {"spare": {"size": 2.5}}}, "shop.bike.parts.spare.size: 2.5 should be a valid integer"),
        ({"parts": [1]}, "shop.bike.parts: [1] should be a mapping"),
        ([], "shop.bike: [] should be a mapping"),
    ],
)
def test_an_error_is_one_line(values, message):
    with pytest.raises(UserError) as caught:
        parse_settings(Bicycle, values, where="shop.bike")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_string_below_a_field_is_its_description():
    assert Wheel.model_json_schema()["properties"]["size"]["description"] == "Inches."


def test_an_incomplete_entry_of_almost_the_name_of_another_is_a_typo():
    parts = {"spare-wheel": {"size": 28}, "spare-whel": {}}
    with pytest.raises(UserError, match=r"missing setting 'size' \(did you mean 'spare-wheel'\?\)$"):
        parse_settings(Bicycle, {"parts": parts}, where="shop.bike")
    with pytest.raises(UserError, match=r"front: missing setting 'size'$"):
        parse_settings(Bicycle, {"parts": {"rear": {"size": 28}, "front": {}}}, where="shop.bike")


class Lock(SettingsModel):
    code: Annotated[str, Field(pattern="^[0-9]+$")]


def test_a_text_that_does_not_match_a_pattern_is_shown():
    with pytest.raises(UserError, match=r"^lock\.code: 'x1' should match the pattern '\^\[0-9\]\+\$'$"):
        parse_settings(Lock, {"code": "x1"}, where="lock")
