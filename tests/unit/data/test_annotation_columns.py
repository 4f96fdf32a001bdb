"""Names of annotation columns."""

import pytest

from clipfair.data.annotation_columns import AnnotationColumn, columns_by_attribute, parse_column


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("text.gender=woman", AnnotationColumn("text", "gender", "woman")),
        ("image.gender=man", AnnotationColumn("image", "gender", "man")),
        ("gender=man", AnnotationColumn("any", "gender", "man")),
        ("text.gender=a=b", AnnotationColumn("text", "gender", "a=b")),
        ("object=st. bernard", AnnotationColumn("any", "object", "st. bernard")),
    ],
)
def test_a_name_is_parsed_and_written_back(name, column):
    assert parse_column(name) == column
    assert column.name == name
    assert column.attribute_value == name.removeprefix(f"{column.modality}.")


@pytest.mark.parametrize("name", ["key", "human", "similarity", "gender", "audio.gender=man", "text.gender="])
def test_other_columns_are_no_attribute(name):
    assert parse_column(name) is None


def test_columns_are_grouped_by_attribute_and_modality_in_order():
    names = ["key", "text.gender=woman", "text.age=old", "image.gender=man", "gender=man", "human"]
    woman, old, man, any_man = (parse_column(name) for name in (names[1], names[2], names[3], names[4]))
    assert columns_by_attribute(names) == {"gender": [woman, man, any_man], "age": [old]}
    assert columns_by_attribute(names, modalities=["image"]) == {"gender": [man]}
