import pytest

from clipfair.core.errors import UserError
from clipfair.plan.condition_settings import CONDITION_SETTINGS, parse_condition

M4 = {"sensitive": ["gender"], "labels": ["occupation"]}


@pytest.mark.parametrize("kind", CONDITION_SETTINGS)
def test_every_setting_has_a_description(kind):
    assert all(field.description for field in CONDITION_SETTINGS[kind].model_fields.values())


def test_labels_of_all_sensitive_attributes_or_of_each():
    same = parse_condition("m4", M4 | {"sensitive": ["gender", "age"]})
    assert same.labels_of == {"gender": ("occupation",), "age": ("occupation",)}
    own = parse_condition(
        "m4", {"sensitive": ["gender", "age", "race"], "labels": {"gender": ["age", "race"]}}
    )
    assert own.labels_of == {"gender": ("age", "race"), "age": (), "race": ()}
    assert own.label_attributes == ["age", "race"]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("best", {}, "unknown kind of condition 'best'; known: all, drop_human, m4, neutralise, quality"),
        ("all", {"share": 1}, "all: unknown setting 'share'; known: labels, sensitive, target"),
        ("quality", {}, "quality: missing setting 'share'"),
        ("quality", {"share": 0}, "quality.share: 0 should be greater than 0"),
        ("drop_human", {"share": 1.5}, "drop_human.share: 1.5 should be less than or equal to 1"),
        ("m4", {"sensitive": ["gender"]}, "m4: missing setting 'labels'"),
        ("m4", {"sensitive": [], "labels": []}, "m4.sensitive: "),
        (
            "m4",
            M4 | {"labels": {"age": ["gender"]}},
            "labels are given for 'age', which is not among sensitive",
        ),
        ("m4", M4 | {"labels": {"gender": ["gender"]}}, "'gender' is among its own labels"),
        (
            "m4",
            M4 | {"labels": "occupation"},
            "m4.labels: 'occupation' should be a list or 'occupation' should be",
        ),
        (
            "m4",
            M4 | {"rate": "largest"},
            "m4.rate: 'largest' should be a valid number or 'largest' should be 'max'",
        ),
        ("m4", M4 | {"rate": 1.5}, "below the rate"),
        ("m4", M4 | {"min_rate": 2}, "min_rate is 2"),
        (
            "m4",
            M4 | {"rate": 0.5, "max_weight": float("inf")},
            "max_weight is inf: a condition samples",
        ),
        ("m4", M4 | {"target": "mean"}, "m4.target: 'mean' should be 'data', 'uniform' or 'median'"),
        ("m4", M4 | {"target": {"gender=male": 1.5}}, "m4.target.gender=male: 1.5 should be less than"),
    ],
)
def test_wrong_settings_are_reported(kind, values, message):
    with pytest.raises(UserError) as caught:
        parse_condition(kind, values)
    assert message in str(caught.value)
