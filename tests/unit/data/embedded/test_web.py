"""The web part: img2dataset's files, and a truth that agrees with the captions and the planted rates."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipfair.data.datasets import pairs
from clipfair.data.embedded.common_settings import MentionSettings
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.planted import planted_associations
from clipfair.data.embedded.web_settings import AnnotatorErrors, WebSettings

SMALL = WebSettings(pairs=700, shard_size=300)
# Enough people to estimate shares; the images are as small as possible.
MANY = WebSettings(pairs=4_000, shard_size=4_000, size=8)


def small_with(**changes):
    return WebSettings(**dict(SMALL) | changes)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "web"
    generate_world("web", SMALL, 1, folder)
    return folder


@pytest.fixture(scope="module")
def truth_of_many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "web"
    generate_world("web", MANY, 2, folder)
    return pd.read_parquet(folder / "truth.parquet"), pd.read_parquet(folder / "annotations.parquet")


def close(found, share, n):
    """Within five standard errors of a share among n."""
    return abs(found - share) <= 5 * np.sqrt(share * (1 - share) / n) + 1e-12


def test_the_loader_of_pairs_reads_it(small):
    frame = pairs.load(small)
    assert frame["examples"].tolist() == [300, 300, 100]
    assert frame["failed"].tolist() == [0, 0, 0]


def test_json_and_parquet_hold_what_img2dataset_writes(small):
    table = pd.read_parquet(small / "shards/00000.parquet")
    with tarfile.open(small / "shards/00000.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    assert list(members)[:3] == ["00000000.jpg", "00000000.json", "00000000.txt"]
    for row in table.itertuples():
        image = members[f"{row.key}.jpg"]
        record = json.loads(members[f"{row.key}.json"])
        assert record["sha256"] == row.sha256 == hashlib.sha256(image).hexdigest()
        assert record["caption"] == row.caption == members[f"{row.key}.txt"].decode()
        assert (record["width"], record["height"]) == Image.open(io.BytesIO(image)).size
    assert list(record) == list(table)
    stats = json.loads((small / "shards/00000_stats.json").read_text())
    assert stats["successes"] == len(table)


def test_keys_are_unique_and_shared_by_all_tables(small):
    tables = [pd.read_parquet(path) for path in sorted((small / "shards").glob("*.parquet"))]
    keys = pd.concat(tables)["key"].tolist()
    assert len(set(keys)) == SMALL.pairs
    for name in ("truth", "annotations"):
        assert pd.read_parquet(small / f"{name}.parquet")["key"].tolist() == keys


def test_an_image_has_one_subject(small):
    truth = pd.read_parquet(small / "truth.parquet")
    others = truth[~truth["person"]]
    assert not others[["image.gender=man", "image.gender=woman"]].to_numpy().any()
    subjects = others["object"].notna().astype(int) + others["texture"].notna() + others["uniform"]
    assert (subjects == 1).all()
    assert others[["gender", "occupation"]][others["texture"].notna()].isna().all(axis=None)
    assert truth.loc[truth["person"], "gender"].isin(["man", "woman"]).all()
    assert truth.loc[truth["person"], "texture"].isna().all()


def test_shares_are_as_planted(truth_of_many):
    truth, _ = truth_of_many
    people = truth[truth["person"]]
    assert close(len(people) / len(truth), MANY.share_people, len(truth))
    assert close((people["gender"] == "man").mean(), MANY.share_men, len(people))
    others = truth[~truth["person"]]
    owned = others[others["gender"].notna()]
    assert close(len(owned) / len(others), MANY.owned, len(others))
    assert close((owned["gender"] == "man").mean(), MANY.share_men_owners, len(owned))
    working = truth[truth["occupation"].notna()]
    assert close(working["uniform"].mean(), MANY.uniform_shown, len(working))
    assert not truth["uniform"][truth["occupation"].isna()].any()
    assert not truth["close_up"][truth["uniform"] | ~truth["person"]].any()
    assert close(truth["mismatched"].mean(), MANY.mismatched, len(truth))


def test_associations_are_as_planted(truth_of_many):
    truth, _ = truth_of_many
    planted = planted_associations(MANY).set_index("attribute")
    groups = {gender: truth[truth["gender"] == gender] for gender in ("man", "woman")}
    for gender, group in {**groups, "none": truth[truth["gender"].isna()]}.items():
        for name in MANY.occupations:
            share = planted.loc[f"occupation={name}", f"given_{gender}"]
            assert close((group["occupation"] == name).mean(), share, len(group)), name
        for name in MANY.proxies:
            share = planted.loc[f"proxy={name}", f"given_{gender}"]
            assert close(group[f"image.proxy={name}"].mean(), share, len(group)), name


def test_the_image_shows_an_occupation_by_its_uniform_only(truth_of_many):
    truth, _ = truth_of_many
    for name in MANY.occupations:
        worn = (truth["occupation"] == name) & truth["uniform"]
        assert (truth[f"image.occupation={name}"] == worn).all()


def test_text_attributes_are_those_of_the_caption(truth_of_many):
    truth, _ = truth_of_many
    for name in [*MANY.occupations, *MANY.proxies]:
        kind = "occupation" if name in MANY.occupations else "proxy"
        assert (truth[f"text.{kind}={name}"] == truth["caption"].str.contains(rf"\b{name}\b")).all(), name
    assert (truth["text.gender=man"] == truth["caption"].str.contains(r"\b(?:man|gentleman|male)\b")).all()
    assert (truth["text.gender=woman"] == truth["caption"].str.contains(r"\b(?:woman|lady|female)\b")).all()


def test_a_matched_caption_contradicts_nothing(truth_of_many):
    truth, _ = truth_of_many
    matched = truth[~truth["mismatched"]]
    for gender in ("man", "woman"):
        assert (matched.loc[matched[f"text.gender={gender}"] == 1, "gender"] == gender).all()
    for name in MANY.occupations:
        assert (matched.loc[matched[f"text.occupation={name}"] == 1, "occupation"] == name).all()
    others = truth[truth["mismatched"]]
    assert (others.loc[others["text.gender=man"] == 1, "gender"] != "man").any()


def test_gender_is_mentioned_as_often_as_set(truth_of_many):
    truth, _ = truth_of_many
    gendered = truth[truth["gender"].notna() & ~truth["mismatched"]]
    said = gendered["text.gender=man"] + gendered["text.gender=woman"]
    assert close(said.mean(), MANY.mentions.gender, len(gendered))


def test_annotators_err_as_often_as_set(truth_of_many):
    truth, annotations = truth_of_many
    assert list(annotations) == ["key", *truth.filter(regex=r"^(?:image|text)\.")]
    for modality, errors in {"image": MANY.image_errors, "text": MANY.text_errors}.items():
        bits = truth.filter(regex=rf"^{modality}\.")
        right = bits.to_numpy(dtype=bool)
        wrong = right != annotations[list(bits)].to_numpy(dtype=bool)
        assert close(wrong[right].mean(), errors.missed, right.sum())
        assert close(wrong[~right].mean(), errors.invented, (~right).sum())


def test_without_errors_annotations_are_the_truth(tmp_path):
    perfect = AnnotatorErrors(missed=0, invented=0)
    settings = small_with(pairs=50, image_errors=perfect, text_errors=perfect)
    generate_world("web", settings, 0, tmp_path / "web")
    truth = pd.read_parquet(tmp_path / "web/truth.parquet")
    annotations = pd.read_parquet(tmp_path / "web/annotations.parquet")
    pd.testing.assert_frame_equal(annotations, truth[list(annotations)])


def test_a_single_mismatched_pair_keeps_its_caption(tmp_path):
    """There is no other to give it; the truth must not call it mismatched."""
    everything = MentionSettings(**dict.fromkeys(MentionSettings.model_fields, 1))
    generate_world(
        "web",
        small_with(pairs=1, mismatched=1, mentions=everything),
        0,
        tmp_path / "web",
    )
    assert not pd.read_parquet(tmp_path / "web/truth.parquet")["mismatched"].any()
