"""The quality of annotations from its record."""

import numpy as np
import pandas as pd
import pytest

from clipfair.annotate.quality import annotation_quality
from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.tables.m4.annotation_quality import build

COLUMNS = ["text.gender=man", "text.gender=woman", "image.gender=man", "image.occupation=a=b"]


@pytest.fixture
def world(tmp_path):
    """Annotations, truth and groups of 60 examples, and the record of their agreement."""
    generator = np.random.default_rng(3)
    truth = pd.DataFrame(generator.random((60, 4)) < 0.4, columns=COLUMNS)
    found = truth ^ (generator.random((60, 4)) < 0.2)
    groups = pd.Series(np.where(truth["image.gender=man"], "man", "woman"))
    keys = [f"{row:03d}" for row in range(60)]
    quality = annotation_quality(found.assign(key=keys), truth.assign(key=keys), groups=groups)
    return record(tmp_path, quality), found, truth, groups


def record(folder, quality, auc=None):
    lines = quality.astype(object).where(quality.notna(), None).to_dict("records")
    write_json(folder / "quality.json", {"values": lines, "similarity_auc": auc})
    return str(folder / "quality.json")


def test_pooled_and_single_values_are_counted_from_the_decisions(world):
    path, found, truth, groups = world
    frame, _ = build(path)
    assert len(frame) == (3 + 2 + 2) * 3
    for entry in frame.itertuples():
        prefix = f"{entry.modality}.{entry.attribute}="
        named = [name for name in COLUMNS if name.startswith(prefix)]
        columns = [name for name in named if entry.value in ("all", name.removeprefix(prefix))]
        member = np.ones(60, dtype=bool) if entry.group == "all" else (groups == entry.group).to_numpy()
        annotated, real = found.loc[member, columns].to_numpy(), truth.loc[member, columns].to_numpy()
        assert (entry.n, entry.true, entry.annotated) == (annotated.size, real.sum(), annotated.sum())
        assert entry.correct == (annotated & real).sum()
        expected = [
            (annotated & real).sum() / total if total else np.nan for total in (annotated.sum(), real.sum())
        ]
        assert [entry.precision, entry.recall] == pytest.approx(expected, nan_ok=True)


def test_the_pooled_row_is_first_in_each_attribute(world):
    frame, page = build(world[0])
    blocks = frame[["modality", "attribute", "value"]].drop_duplicates().to_numpy().tolist()
    assert blocks == [
        ["text", "gender", "all"],
        ["text", "gender", "man"],
        ["text", "gender", "woman"],
        ["image", "gender", "all"],
        ["image", "gender", "man"],
        ["image", "occupation", "all"],
        ["image", "occupation", "a=b"],
    ]
    assert list(frame["group"][:3]) == ["all", "man", "woman"]
    assert "| annotations | all | man | woman |" in page
    first = frame.iloc[0]
    assert f"| text: gender | {100 * first['precision']:.1f} / {100 * first['recall']:.1f} |" in page


def test_an_undefined_share_is_a_dash(tmp_path):
    nothing = pd.DataFrame({"key": ["a"], "text.gender=man": [False]})
    frame, page = build(record(tmp_path, annotation_quality(nothing, nothing)))
    assert frame[["precision", "recall"]].isna().all(axis=None)
    assert "| text: gender | - / - |" in page
    assert "similarity" not in page


def test_the_similarity_auc_is_on_the_page(tmp_path):
    some = pd.DataFrame({"key": ["a"], "text.gender=man": [True]})
    _, page = build(record(tmp_path, annotation_quality(some, some), auc=0.8125))
    assert "another image with probability 0.812 " in page


def test_an_empty_record_is_refused(tmp_path):
    write_json(tmp_path / "quality.json", {"values": [], "similarity_auc": None})
    with pytest.raises(UserError, match=r"quality\.json: no annotation was compared"):
        build(str(tmp_path / "quality.json"))
