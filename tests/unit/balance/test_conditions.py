import itertools
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.balance.audit_page import markdown
from clipfair.balance.conditions import make_condition
from clipfair.balance.weigher import read_dual
from clipfair.core.errors import UserError
from clipfair.data.datasets import fairface_labels, flickr30k_captions

MODALITIES = ("image", "text")
OCCUPATIONS = ("doctor", "nurse")
MIRROR = os.environ.get("CLIPFAIR_MIRROR")
VOCABULARIES = Path(__file__).parents[3] / "resources/vocabulary"


def web(n=3000, *, seed=0):
    """Annotations like those of shards: gender and occupation in either modality, with errors."""
    rng = np.random.default_rng(seed)
    male, nurse, doctor = rng.random(n) < 0.6, rng.random(n), rng.random(n)
    human = rng.random(n) < 0.5
    truth = {
        "gender=female": human & ~male,
        "gender=male": human & male,
        "occupation=doctor": human & (doctor < np.where(male, 0.35, 0.15)),
        "occupation=nurse": human & (nurse < np.where(male, 0.1, 0.3)),
    }
    columns = {"key": [f"{i:09d}" for i in rng.permutation(n)]}
    for modality, noticed in (("text", 0.5), ("image", 0.9)):
        for name, bits in truth.items():
            columns[f"{modality}.{name}"] = (bits & (rng.random(n) < noticed)) | (rng.random(n) < 0.02)
        columns[f"{modality}.occupation=astronaut"] = np.zeros(n, dtype=bool)
    return pd.DataFrame(columns).assign(human=human, similarity=rng.normal(0.3, 0.1, n).astype(np.float32))


def write_shards(frame, folder, *, shards):
    folder.mkdir()
    paths = []
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), shards)):
        paths.append(folder / f"{number:05d}.parquet")
        frame.iloc[rows].to_parquet(paths[-1], index=False)
    return paths


@pytest.fixture(scope="module")
def annotated():
    return web()


@pytest.fixture
def make(tmp_path):
    """Write a frame as shards, make a condition of them; keep-list and audit."""
    numbers = itertools.count()

    def run(frame, kind, *, seed=0, shards=3, rewritten=None, within=None, **settings):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        make_condition(
            write_shards(frame, folder / "annotations", shards=shards),
            kind=kind,
            settings=settings,
            seed=seed,
            keep_path=folder / "keep.parquet",
            audit_path=folder / "audit.json",
            dual_path=folder / "dual.json",
            rewritten=rewritten,
            within=within,
        )
        return (
            pd.read_parquet(folder / "keep.parquet"),
            json.loads((folder / "audit.json").read_text()),
            folder,
        )

    return run


def association(label, group, weight):
    inside, outside = (weight * group).sum(), (weight * ~group).sum()
    return (weight * group * label).sum() / inside - (weight * ~group * label).sum() / outside


def correlation(label, group, weight):
    covariance = np.cov(group, label, aweights=weight)
    return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


def check_audit(audit, frame, weights):
    """The audit's numbers equal those of brute force over single examples."""
    for version, weight in weights.items():
        groups = {row["group"]: row for row in audit["groups"]}
        for name, row in groups.items():
            assert row[version] == pytest.approx(np.average(frame[name], weights=weight))
        for row in audit["labels"]:
            assert row[version] == pytest.approx(np.average(frame[row["label"]], weights=weight))
        assert audit["humans"][version] == pytest.approx(np.average(frame.human, weights=weight))
        for row in audit["pairs"]:
            expected = association(frame[row["label"]], frame[row["group"]], weight)
            assert row[version] == pytest.approx(expected, abs=1e-9)
        assert audit["bias"][version]["association_bias"] == max(abs(row[version]) for row in audit["pairs"])
        for row in audit["by_modality"]["representation"]:
            far = [abs(g[version] - g["target"]) for n, g in groups.items() if n.startswith(row["groups"])]
            assert row[version] == pytest.approx(max(far))
        for row in audit["by_modality"]["association"]:
            of = [
                (frame[f"{row['labels']}.occupation={y}"], frame[f"{row['groups']}.gender={s}"])
                for y, s in itertools.product(OCCUPATIONS, ("female", "male"))
            ]
            sizes = [abs(association(y, s, weight)) for y, s in of]
            assert row["association_bias"][version] == pytest.approx(max(sizes), abs=1e-9)
            sizes = [abs(correlation(y, s, weight)) for y, s in of]
            assert row["correlation_max"][version] == pytest.approx(max(sizes), abs=1e-9)
            assert row["correlation_median"][version] == pytest.approx(np.median(sizes), abs=1e-9)


def test_balanced_is_balanced_in_every_pair_of_modalities(annotated, make, weights_of):
    keep, audit, folder = make(
        annotated, "m4", sensitive=["gender"], labels=["occupation"], target="uniform", penalty=1000.0
    )
    weigher = read_dual(folder / "dual.json")
    table = folder / "all.parquet"
    annotated.to_parquet(table)
    weight = weights_of(table, weigher)
    sampled = annotated.key.isin(keep.key).to_numpy()
    check_audit(
        audit, annotated, {"before": np.ones(len(annotated)), "after": weight, "sample": sampled * 1.0}
    )

    blocks = {(row["groups"], row["labels"]): row for row in audit["by_modality"]["association"]}
    assert set(blocks) == set(itertools.product(MODALITIES, MODALITIES))
    for row in blocks.values():
        assert row["association_bias"]["before"] > 0.05
        assert row["association_bias"]["after"] < 1e-9
        assert row["association_bias"]["sample"] < row["association_bias"]["before"] / 2
    assert audit["bias"]["before"]["representation_bias"] > 0.02
    assert audit["bias"]["after"]["representation_bias"] < 1e-9
    assert audit["certificate"]["relative_gap"] < 1e-9
    assert audit["unsatisfied"] == []

    rate = audit["rate"]
    assert rate["target"] == pytest.approx(audit["largest_rate"], rel=1e-5)
    assert rate["target"] == pytest.approx(weight.mean())
    assert rate["realised"] == len(keep) / len(annotated)
    assert abs(rate["realised"] - rate["target"]) < 5 * rate["standard_deviation"]
    assert audit["dropped"] == [
        {"column": f"{modality}.occupation=astronaut", "set": "never"} for modality in ("text", "image")
    ]
    page = markdown(audit)
    assert "association bias, text x image" in page
    assert "| image.occupation=astronaut | never |" in page


def test_the_baseline_keeps_everything_in_order(annotated, make):
    keep, audit, folder = make(annotated, "all", labels=["occupation"])
    assert keep.columns.tolist() == ["key", "shard"]
    assert keep.key.tolist() == annotated.key.tolist()
    assert keep.shard.tolist() == sorted(["00000", "00001", "00002"] * 1000)
    check_audit(audit, annotated, dict.fromkeys(("before", "after", "sample"), np.ones(len(annotated))))
    assert audit["rate"] == {"target": 1, "realised": 1, "standard_deviation": 0}
    assert "certificate" not in audit
    assert (folder / "dual.json").read_text() == "null\n"


def test_what_is_kept_depends_on_keys_and_seed_alone(annotated, make):
    settings = {"sensitive": ["gender"], "labels": ["occupation"], "rate": 0.5}
    first = make(annotated, "m4", **settings)[0]
    again = make(annotated.sample(frac=1, random_state=1), "m4", shards=7, **settings)[0]
    assert set(again.key) == set(first.key)
    assert set(make(annotated, "m4", seed=1, **settings)[0].key) != set(first.key)


# The example of Appendix A.1: s (image), y (image), s (text), y (text) of eight examples.
A1 = ["1110", "1010", "1101", "1010", "0001", "0000", "0001", "0000"]
A1 = np.array([[int(bit) for bit in row] for row in A1], dtype=bool)
A1_COLUMNS = ["image.gender=male", "image.occupation=nurse", "text.gender=male", "text.occupation=nurse"]


def test_each_modality_is_biased_where_their_disjunction_is_not(make):
    frame = pd.DataFrame(A1, columns=A1_COLUMNS).assign(key=list("abcdefgh"))
    _, audit, _ = make(frame, "all", labels=["occupation"])
    blocks = {
        (row["groups"], row["labels"]): row["correlation_max"]["before"]
        for row in audit["by_modality"]["association"]
    }
    assert blocks["image", "image"] == pytest.approx(0.577, abs=5e-4)
    assert blocks["text", "text"] == pytest.approx(0.6, abs=5e-4)
    either = pd.DataFrame(A1[:, :2] | A1[:, 2:], columns=["gender=male", "occupation=nurse"])
    _, audit, _ = make(either.assign(key=list("abcdefgh")), "all", labels=["occupation"])
    assert [row["groups"] for row in audit["by_modality"]["association"]] == ["any"]
    assert audit["bias"]["before"]["association_bias"] == pytest.approx(0)


def test_balancing_the_example_balances_each_modality(make):
    # Alone no weights but 0 satisfy all; one more example, a man by the image only, makes it feasible.
    frame = pd.DataFrame(np.vstack([A1, [[1, 0, 0, 0]]]).astype(bool), columns=A1_COLUMNS)
    settings = {"sensitive": ["gender"], "labels": ["occupation"], "penalty": 1000.0}
    _, audit, _ = make(frame.assign(key=list("abcdefghi")), "m4", **settings)
    assert audit["largest_rate"] == pytest.approx(0.5)
    for row in audit["by_modality"]["association"]:
        assert row["correlation_max"]["before"] > 0.1
        assert row["correlation_max"]["after"] < 1e-6
    with pytest.raises(UserError, match="no rate satisfies every constraint"):
        make(frame[:8].assign(key=list("abcdefgh")), "m4", **settings)


def test_quality_keeps_the_most_similar_of_all_shards(annotated, make):
    keep, audit, _ = make(annotated, "quality", share=0.8, labels=["occupation"])
    best = annotated.nlargest(2400, "similarity")
    assert set(keep.key) == set(best.key)
    assert audit["similarity_threshold"] == pytest.approx(best.similarity.min())
    assert audit["rate"] == {"target": 0.8, "realised": 0.8, "standard_deviation": 0}
    check_audit(audit, annotated, {"sample": annotated.key.isin(best.key).to_numpy() * 1.0})


def test_equal_similarities_stay_together(annotated, make):
    same = annotated.assign(similarity=np.where(annotated.human, 0.5, 0.25))
    keep, audit, _ = make(same, "quality", share=0.1, labels=["occupation"])
    assert set(keep.key) == set(same.key[same.human])
    assert audit["rate"]["realised"] == pytest.approx(same.human.mean())


def test_dropped_humans_are_random_and_nested(annotated, make):
    human = annotated.set_index("key").human
    dropped = {}
    for share in (0.25, 0.5, 0.75, 1.0):
        keep, audit, _ = make(annotated, "drop_human", share=share, labels=["occupation"])
        assert human[~human].index.isin(keep.key).all()
        dropped[share] = set(annotated.key) - set(keep.key)
        assert len(dropped[share]) / human.sum() == pytest.approx(share, abs=0.06)
        assert audit["humans"]["after"] < audit["humans"]["before"]
        remaining = (1 - share) * human.sum()
        assert audit["humans"]["after"] == pytest.approx(remaining / (remaining + (~human).sum()))
    assert dropped[0.25] < dropped[0.5] < dropped[0.75] < dropped[1.0]
    assert dropped[1.0] == set(human[human].index)


def test_neutral_captions_are_written_with_their_keys(annotated, make, tmp_path):
    texts = annotated[["key"]].assign(text=[f"caption {i}" for i in range(len(annotated))])
    paths = write_shards(texts, tmp_path / "rewritten", shards=3)
    for path in paths:
        pd.read_parquet(path).sample(frac=1, random_state=0).to_parquet(path)
    keep, audit, _ = make(annotated, "neutralise", rewritten=paths, labels=["occupation"])
    assert keep[["key", "text"]].equals(texts)
    assert "rewritten" in audit["notes"][0]

    pd.read_parquet(paths[1]).iloc[1:].to_parquet(paths[1])
    with pytest.raises(UserError, match=r"00001\.parquet: no rewritten caption for key"):
        make(annotated, "neutralise", rewritten=paths, labels=["occupation"])
    assert not list(tmp_path.glob("1/*.*"))
    with pytest.raises(UserError, match="2 files of rewritten captions for 3 shards"):
        make(annotated, "neutralise", rewritten=paths[:2])


def faces(n=4000):
    rng = np.random.default_rng(2)
    gender = rng.choice(["Female", "Male"], n, p=[0.4, 0.6])
    ages = np.array(["child", "adult", "old"])
    odds = {"Female": [0.3, 0.5, 0.2], "Male": [0.1, 0.5, 0.4]}
    age = [rng.choice(ages, p=odds[sex]) for sex in gender]
    race = rng.choice(["A", "B"], n)
    return pd.DataFrame(
        {"key": [f"train/{i}" for i in range(n)], "gender": gender, "age": age, "race": race}
    ).astype({"age": "category"})


def test_attributes_become_independent_of_each_other(make, weights_of):
    frame, names = faces(), ["gender", "age", "race"]
    _, audit, folder = make(frame, "m4", sensitive=names, labels=names, target="uniform", penalty=100.0)
    weigher = read_dual(folder / "dual.json")
    shards = sorted((folder / "annotations").iterdir())
    weight = np.concatenate([weights_of(path, weigher) for path in shards])
    for left, right in itertools.combinations(names, 2):
        joint = pd.crosstab(frame[left], frame[right], weight, aggfunc="sum") / weight.sum()
        np.testing.assert_allclose(joint, 1 / joint.size, atol=1e-9)
    assert all(pair["group"].split("=")[0] != pair["label"].split("=")[0] for pair in audit["pairs"])
    attributes = {(row["groups"], row["labels"]) for row in audit["by_attribute"]["association"]}
    assert attributes == set(itertools.permutations(names, 2))
    assert audit["humans"] == {}


def test_the_four_constraint_sets_of_figure_8(make):
    settings = {"sensitive": ["gender", "age"], "labels": {"gender": ["race", "age"]}, "target": "uniform"}
    _, audit, _ = make(faces(), "m4", rate=0.3, **settings)
    rows = audit["by_attribute"]["association"]
    assert [(row["groups"], row["labels"]) for row in rows] == [("gender", "race"), ("gender", "age")]
    assert all(row["correlation_max"]["after"] < 1e-9 for row in rows)
    assert [row["groups"] for row in audit["by_attribute"]["representation"]] == ["gender", "age"]
    assert all(row["after"] < 1e-9 < row["before"] for row in audit["by_attribute"]["representation"])


def test_representation_alone(make):
    _, audit, _ = make(faces(), "m4", sensitive=["gender"], labels=[], target={"gender=Male": 0.5}, rate=0.4)
    assert audit["bias"]["after"]["association_bias"] is None
    assert {row["group"]: row["target"] for row in audit["groups"]}["gender=Male"] == 0.5


def test_targets_go_by_attribute_and_modality(annotated, make):
    shares = annotated.filter(like="gender").mean()
    for rule in ("uniform", "median"):
        _, audit, _ = make(annotated, "all", labels=[], target=rule)
        for row in audit["groups"]:
            family = shares[shares.index.str.startswith(row["group"].split(".")[0])]
            assert row["target"] == pytest.approx(family.agg("mean" if rule == "uniform" else "median"))
    _, audit, _ = make(annotated, "all", labels=[], target={"gender=male": 0.1, "text.gender=female": 0.2})
    target = {row["group"]: row["target"] for row in audit["groups"]}
    assert target == {
        "text.gender=male": 0.1,
        "image.gender=male": 0.1,
        "text.gender=female": 0.2,
        "image.gender=female": pytest.approx(shares["image.gender=female"]),
    }


def test_a_rate_below_the_least_is_reported(annotated, make):
    settings = {"sensitive": ["gender"], "labels": ["occupation"], "min_rate": 0.98}
    _, audit, _ = make(annotated, "m4", **settings)
    assert audit["largest_rate"] < 0.98
    assert audit["rate"]["target"] == pytest.approx(0.98)
    assert audit["unsatisfied"] != []
    assert "less than min_rate, 0.98, which was used" in markdown(audit)


M4 = {"sensitive": ["gender"], "labels": ["occupation"]}


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("all", {"shares": 1}, "all: unknown setting 'shares'"),
        (
            "m4",
            {"sensitive": ["age"], "labels": []},
            "no attribute 'age': its attributes are gender, occupation",
        ),
        (
            "m4",
            M4 | {"target": {"gender=m": 0.5}},
            "'gender=m', which is no group: the groups are gender=female",
        ),
        ("m4", M4 | {"target": {"gender=male": 0.7, "gender=female": 0.01}}, "no rate satisfies"),
        ("neutralise", {"labels": ["occupation"]}, "which needs them"),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(annotated, make, tmp_path, kind, settings, message):
    frame = annotated
    if "no rate" in message:  # everyone is of a gender
        female = ~annotated["text.gender=male"]
        frame = annotated.assign(**{"text.gender=female": female})
    with pytest.raises(UserError) as caught:
        make(frame, kind, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("0/*.*"))


def test_broken_annotations_are_reported(annotated, make, tmp_path):
    broken = {
        "column 'similarity' has a missing": annotated.assign(
            similarity=annotated.similarity.where(annotated.human)
        ),
        "no column 'similarity'": annotated.drop(columns="similarity"),
        "holds (large_)?string": annotated.assign(similarity="high"),
    }
    for message, frame in broken.items():
        with pytest.raises(UserError, match=message):
            make(frame, "quality", share=0.5, labels=["occupation"])
    with pytest.raises(UserError, match="no column 'human'"):
        make(annotated.drop(columns="human"), "drop_human", share=0.5, labels=["occupation"])
    twice = annotated.assign(key=annotated.key.where(annotated.index != 2999, annotated.key[0]))
    with pytest.raises(
        UserError, match=r"is in row 1 of .*00000\.parquet and in row 1000 of .*00002\.parquet"
    ):
        make(twice, "all", labels=["occupation"])
    with pytest.raises(UserError, match="every group holds all examples or none"):
        make(annotated[~annotated.filter(like="gender").any(axis=1)], "all", labels=[])
    with pytest.raises(UserError, match="column 'young' is binary"):
        make(annotated.assign(young=annotated.human), "all", sensitive=["young"], labels=[])
    assert not list(tmp_path.glob("*/*.*"))


needs_mirror = pytest.mark.skipif(MIRROR is None, reason="CLIPFAIR_MIRROR names no folder of real data")


def check_removed(audit, *, planted):
    bias = audit["bias"]
    assert bias["before"]["association_bias"] > planted
    assert bias["after"]["association_bias"] < 1e-9
    assert bias["after"]["representation_bias"] < 1e-9
    assert abs(audit["rate"]["realised"] - audit["rate"]["target"]) < 5 * audit["rate"]["standard_deviation"]
    assert audit["certificate"]["relative_gap"] < 1e-9
    assert audit["unsatisfied"] == []


@needs_mirror
def test_real_faces(make):
    frame = fairface_labels.load(Path(MIRROR, "fairface-labels")).query("split == 'val'")
    names = ["gender", "age", "race"]
    _, audit, _ = make(frame, "m4", sensitive=names, labels=names, penalty=1000.0)
    assert audit["largest_rate"] > 0.2
    check_removed(audit, planted=0.1)


@needs_mirror
def test_real_captions(make):
    frame = flickr30k_captions.load(Path(MIRROR, "flickr30k-captions")).query("split == 'test'")
    frame = frame.explode("captions", ignore_index=True)
    words = [load_vocabulary(VOCABULARIES / f"{name}.yaml") for name in ("gender", "occupations", "proxies")]
    bits = annotate_captions(list(frame.captions), *words).add_prefix("text.")
    bits["key"] = [f"{key}#{row}" for row, key in enumerate(frame.key)]
    _, audit, _ = make(bits, "m4", sensitive=["gender"], labels=["occupation", "proxy"], penalty=1000.0)
    assert audit["largest_rate"] > 0.7
    check_removed(audit, planted=0.005)


def test_within_another_condition_is_as_if_there_were_no_other_examples(annotated, make):
    # The first of three shards has none of them.
    annotated = annotated.assign(similarity=annotated["similarity"].where(annotated.index >= 1000, -2.0))
    kept, _, folder = make(annotated, "quality", share=0.5, labels=["occupation"])
    settings = {"sensitive": ["gender"], "labels": ["occupation"], "target": "uniform"}
    inside, audit, _ = make(annotated, "m4", within=folder / "keep.parquet", **settings)
    alone, expected, _ = make(annotated[annotated["key"].isin(kept["key"])], "m4", **settings)
    assert audit["examples"] == len(kept) < len(annotated)
    assert set(kept["shard"]) == {"00001", "00002"}
    assert set(inside["key"]) == set(alone["key"])
    for version, bias in expected["bias"].items():
        assert audit["bias"][version] == pytest.approx(bias, abs=1e-12)
