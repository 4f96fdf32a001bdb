"""Table 7 from annotated captions."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4.human_mentions import build

KEYWORDS = ["man", "woman", "child"]
COCO = [
    ("1", "a man and a woman"),
    ("1", "a man on a bench"),
    ("2", "a dog"),
    ("2", "the woman walks"),
    ("3", "a tree"),
]
IMAGENET = [("x", "golden retriever"), ("y", "<PERSON> of a man | a horse")]


def write(path, captions, texts="captions"):
    frame = pd.DataFrame(captions, columns=["key", "caption"])
    frame["key"] += "#" + frame.groupby("key").cumcount().astype(str)
    for keyword in KEYWORDS:
        frame[f"text.human={keyword}"] = [keyword in caption.split() for caption in frame["caption"]]
    frame.attrs["captions"] = texts
    frame.to_parquet(path, index=False)
    return str(path)


@pytest.fixture
def sets(tmp_path):
    return {
        "coco": write(tmp_path / "coco.parquet", COCO),
        "imagenet": write(tmp_path / "in.parquet", IMAGENET, "class names"),
    }


def test_an_image_counts_once_however_many_of_its_captions_mention(sets):
    frame, _ = build(sets)
    lines = frame.set_index(["keyword", "set"])
    for name, captions in (("coco", COCO), ("imagenet", IMAGENET)):
        images = {key for key, _ in captions}
        for keyword in KEYWORDS:
            mentioned = {key for key, caption in captions if keyword in caption.split()}
            entry = lines.loc[keyword, name]
            assert (entry["images"], entry["mentioned"]) == (len(images), len(mentioned))
            assert entry["rate"] == pytest.approx(len(mentioned) / len(images))
    assert lines.loc[("any", "coco"), "mentioned"] == 2
    assert lines.loc[("any", "imagenet"), "mentioned"] == 1


def test_keywords_are_in_the_vocabularys_order_and_any_is_last(sets):
    frame, page = build(sets)
    assert list(frame["keyword"].unique()) == [*KEYWORDS, "any"]
    assert list(frame["set"]) == ["coco", "imagenet"] * 4
    assert page.index("| man |") < page.index("| woman |") < page.index("| child |") < page.index("any of")


def test_examples_have_their_keyword_whatever_the_order_of_the_rows(sets, tmp_path):
    frame, page = build(sets)
    for entry in frame[frame["keyword"] != "any"].itertuples():
        assert (entry.keyword in entry.example.split()) == (entry.mentioned > 0)
        assert (entry.example == "") == (entry.mentioned == 0)
    turned = [COCO[place] for place in (4, 1, 3, 0, 2)]
    again, same = build({**sets, "coco": write(tmp_path / "turned.parquet", turned)})
    pd.testing.assert_frame_equal(frame, again)
    assert page == same
    chosen = {build(sets, seed=seed)[0]["example"][2] for seed in range(20)}
    assert chosen == {"a man and a woman", "the woman walks"}


def test_the_page_has_the_rates_of_both_sets_and_whole_cells(sets):
    _, page = build({"imagenet": sets["imagenet"], "coco": sets["coco"]})
    assert "| man | &lt;PERSON&gt; of a man \\| a horse | 50.0 | 33.3 |" in page
    assert "| **any of these** |  | 50.0 | 66.7 |" in page
    assert "(imagenet 2 images with class names, coco 3 images with captions)" in page


def test_a_set_without_captions_is_refused(tmp_path):
    path = write(tmp_path / "none.parquet", COCO)
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    with pytest.raises(UserError, match=r"none\.parquet: it has no rows"):
        build({"coco": path})


def test_a_number_sign_within_a_key_is_the_images_own(tmp_path):
    frame, _ = build({"web": write(tmp_path / "web.parquet", [("a#1", "a man"), ("a#2", "a man")])})
    assert frame["images"].tolist() == [2] * 4
