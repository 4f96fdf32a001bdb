"""Reading annotations."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.data.annotation_columns import AnnotationColumn
from clipfair.tables.common.annotations import find_columns, read_annotations


def test_columns_are_found_by_attribute_and_modality_in_the_files_order(tmp_path):
    path = tmp_path / "a.parquet"
    names = [
        "text.gender=woman",
        "image.gender=man",
        "text.gender=a=b",
        "gender=man",
        "text.genders=x",
        "human",
    ]
    pd.DataFrame([[True] * len(names)], columns=names).to_parquet(path)
    expected = [
        AnnotationColumn("text", "gender", "woman"),
        AnnotationColumn("image", "gender", "man"),
        AnnotationColumn("text", "gender", "a=b"),
    ]
    assert find_columns([path], "gender") == {"gender": expected}
    assert find_columns([path], "gender", modalities=["image"]) == {"gender": expected[1:2]}
    assert [column.name for column in expected] == names[:3]


def test_files_are_read_one_by_one(annotated):
    frames = list(read_annotations(annotated.paths, ["key", "image.object=dog"]))
    assert [len(frame) for frame in frames] == [30, 20]
    assert list(frames[0].columns) == ["key", "image.object=dog"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda paths: find_columns([], "gender"), "no annotations were given"),
        (lambda paths: list(read_annotations([], ["key"])), "no annotations were given"),
        (
            lambda paths: find_columns(paths, "age"),
            r"0\.parquet: no column text\.age=\.\.\. or image\.age=\.\.\.",
        ),
        (lambda paths: list(read_annotations(paths, ["key", "z"])), r"0\.parquet: no column 'z'"),
        (lambda paths: list(read_annotations(["gone.parquet"], ["key"])), r"gone\.parquet: no such file"),
    ],
)
def test_a_missing_input_is_one_line(annotated, call, message):
    with pytest.raises(UserError, match=message) as error:
        call(annotated.paths)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_parquet_and_empty_cells_are_named(tmp_path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    with pytest.raises(UserError, match=r"broken\.parquet: cannot be read as parquet"):
        find_columns([broken], "gender")
    holes = tmp_path / "holes.parquet"
    pd.DataFrame({"key": ["a", "b"], "text.gender=man": [True, None]}).to_parquet(holes)
    with pytest.raises(UserError, match=r"holes\.parquet: column 'text.gender=man' has empty cells"):
        list(read_annotations([holes], ["key", "text.gender=man"]))
