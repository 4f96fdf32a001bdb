"""Figure 10 from annotations and keep-lists."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4.object_labels import build
from clipfair.tables.m4.object_labels_figure import draw
from tests.unit.tables.drawing import svg_of


@pytest.fixture
def keep_lists(annotated, tmp_path):
    """Two of three examples in two files, cut otherwise than the annotations."""
    keys = annotated.frame["key"][np.arange(50) % 3 > 0]
    paths = [tmp_path / "keep" / f"{part}.parquet" for part in range(2)]
    paths[0].parent.mkdir()
    for path, part in zip(paths, (keys[:7], keys[7:]), strict=True):
        part.to_frame().to_parquet(path, index=False)
    return [str(path) for path in paths]


def test_shares_are_of_the_examples_before_and_after(annotated, keep_lists):
    frame, _ = build(annotated.paths, keep_lists)
    kept = [row for place, row in enumerate(annotated.rows) if place % 3 > 0]
    assert len(frame) == 4
    for entry in frame.itertuples():
        before = sum(row[f"image.object={entry.label}"] for row in annotated.rows)
        after = sum(row[f"image.object={entry.label}"] for row in kept)
        assert (entry.n_before, entry.n_after) == (before, after)
        assert entry.share_before == pytest.approx(before / 50)
        assert entry.share_after == pytest.approx(after / len(kept))
        assert entry.relative_change == pytest.approx((after / len(kept)) / (before / 50) - 1)


def test_the_most_frequent_come_first_and_equals_by_name(annotated, keep_lists, tmp_path):
    frame, _ = build(annotated.paths, keep_lists)
    assert frame["n_before"].is_monotonic_decreasing
    top, page = build(annotated.paths, keep_lists, top=2)
    pd.testing.assert_frame_equal(top, frame.head(2))
    assert "the 2 most frequent labels" in page
    path = tmp_path / "equal.parquet"
    pd.DataFrame(
        {"key": ["a", "b"], "image.object=z": [True, False], "image.object=c": [False, True]}
    ).to_parquet(path)
    equals, _ = build([str(path)], [str(path)])
    assert list(equals["label"]) == ["c", "z"]
    assert list(equals["relative_change"]) == [0, 0]


def test_a_label_that_never_occurs_has_no_relative_change(tmp_path):
    path = tmp_path / "never.parquet"
    pd.DataFrame({"key": ["a"], "image.object=cup": [False]}).to_parquet(path)
    frame, page = build([str(path)], [str(path)])
    assert np.isnan(frame["relative_change"][0])
    assert "| cup | 0.00 | 0.00 | - |" in page


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["000000000", "elsewhere"], "2 keys are kept but 1 of the annotations"),
        (["000000000", "000000000"], "key '000000000' is kept twice"),
        ([], r"keep\.parquet: it has no rows"),
    ],
)
def test_a_keep_list_of_something_else_is_refused(annotated, tmp_path, keys, message):
    path = tmp_path / "keep.parquet"
    pd.DataFrame({"key": pd.Series(keys, dtype="str")}).to_parquet(path)
    with pytest.raises(UserError, match=message):
        build(annotated.paths, [str(path)])


def test_the_figure_shows_every_label_and_is_the_same_every_time(annotated, keep_lists, tmp_path):
    frame, _ = build(annotated.paths, keep_lists)
    text = svg_of(tmp_path, frame, draw)
    assert all(f">{label}<" in text for label in [*frame["label"], "before", "after"])
    axes = draw(frame).axes
    assert [patch.get_width() for patch in axes[1].patches] == pytest.approx(100 * frame["relative_change"])
    assert axes[0].get_ylim()[0] > axes[0].get_ylim()[1]
