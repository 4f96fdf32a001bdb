import pytest

from clipfair.core.errors import UserError
from clipfair.core.schema import check_schema, unknown

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["study", "seeds"],
    "properties": {
        "study": {"enum": ["lab", "paper"]},
        "seeds": {"type": "array", "minItems": 1, "items": {"type": ["integer", "null"]}},
    },
}


def test_what_follows_the_schema_passes():
    check_schema({"study": "lab", "seeds": [0, None]}, SCHEMA, where="config")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"study": "lab", "seeds": [0], "sead": 1},
         "config: unknown key 'sead' (did you mean 'seeds'?); known: seeds, study"),
        ({"study": "lab"}, "config: missing seeds"),
        ({}, "config: missing study, seeds"),
        ({"study": "labs", "seeds": [0]},
         "config.study: unknown value 'labs' (did you mean 'lab'?); known: lab, paper"),
        ({"study": "lab", "seeds": [0, "1"]}, "config.seeds[1]: '1' is not of type integer or null"),
        ({"study": "lab", "seeds": []}, "config.seeds: [] should be non-empty"),
        ([], "config: [] is not of type object"),
    ],
)  # fmt: skip
def test_a_violation_is_one_line(value, message):
    with pytest.raises(UserError) as caught:
        check_schema(value, SCHEMA, where="config")
    assert str(caught.value) == message


def test_nothing_close_gives_no_hint_and_nothing_known_says_so():
    assert unknown("table", "zzz", ["m4/table5"]) == "unknown table 'zzz'; known: m4/table5"
    assert unknown("table", "zzz", []) == "unknown table 'zzz'; known: none"
