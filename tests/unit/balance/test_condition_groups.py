"""Conditions made from groups of shards have the bytes of those made by one job."""

import numpy as np
import pandas as pd
import pytest

from clipfair.balance.conditions import (
    SampledGroup,
    count_group,
    join_groups,
    make_condition,
    sample_group,
    solve_condition,
)
from clipfair.balance.ranks import value_at_rank
from clipfair.core.errors import UserError

FILES = {"keep_path": "keep.parquet", "audit_path": "audit.json", "dual_path": "dual.json"}
M4 = {"sensitive": ["gender"], "labels": ["occupation", "scene"], "rate": 0.6, "penalty": 100.0}


def shard(number, n):
    """Annotations of a shard; the text column has other values in every shard."""
    rng = np.random.default_rng(number)
    man = rng.random(n) < 0.6
    return pd.DataFrame(
        {
            "key": [f"{number}-{row}" for row in range(n)],
            "image.gender=man": man,
            "image.gender=woman": ~man & (rng.random(n) < 0.9),
            "text.occupation=nurse": rng.random(n) < np.where(man, 0.1, 0.4),
            "text.occupation=pilot": np.zeros(n, dtype=bool),
            "scene": rng.choice(["street", f"place {number}", "beach"], n),
            "human": rng.random(n) < 0.5,
            # With ties, also across shards.
            "similarity": rng.normal(0.3, 0.1, n).round(2).astype(np.float32),
        }
    )


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotations")
    paths = [folder / f"{number:05d}.parquet" for number in range(5)]
    for number, (path, n) in enumerate(zip(paths, (400, 1, 300, 700, 50), strict=True)):
        shard(number, n).to_parquet(path, index=False)
    return paths


def in_groups(shards, folder, size, *, kind, settings, within=None, rewritten=None):
    """Make a condition by the steps of groups of ``size`` shards."""
    folder.mkdir()
    counted, groups, solved = [], [], folder / "solved.json"
    for number, first in enumerate(range(0, len(shards), size)):
        group = shards[first : first + size]
        counted.append({name: folder / f"{name}{number}" for name in ("counts_path", "similarity_path")})
        count_group(group, kind=kind, settings=settings, within=within, **counted[-1])
        groups.append(
            SampledGroup(group, *(folder / f"{name}{number}" for name in ("keep", "hashes", "sums")))
        )
    counts, similarity = ([paths[name] for paths in counted] for name in ("counts_path", "similarity_path"))
    solve_condition(counts, similarity, kind=kind, settings=settings, solved_path=solved)
    for number, group in enumerate(groups):
        captions = None if rewritten is None else rewritten[number * size : (number + 1) * size]
        sample_group(group, solved_path=solved, seed=3, within=within, rewritten=captions)
    final = {name: folder / file for name, file in FILES.items()}
    join_groups(groups, solved_path=solved, seed=3, **final)
    return [path.read_bytes() for path in final.values()]


def in_one_job(shards, folder, **condition):
    folder.mkdir()
    final = {name: folder / file for name, file in FILES.items()}
    make_condition(shards, seed=3, **final, **condition)
    return [path.read_bytes() for path in final.values()]


@pytest.mark.parametrize("size", [5, 3, 1])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("all", {"labels": ["occupation", "scene"]}),
        ("m4", M4),
        ("quality", {"share": 0.5, "labels": ["occupation"]}),
        ("drop_human", {"share": 1, "labels": ["scene"]}),
    ],
)
def test_any_groups_give_the_same_bytes(shards, tmp_path, kind, settings, size):
    condition = {"kind": kind, "settings": settings}
    whole = in_one_job(shards, tmp_path / "whole", **condition)
    assert in_groups(shards, tmp_path / "groups", size, **condition) == whole
    assert len(pd.read_parquet(tmp_path / "whole/keep.parquet")) > 100


@pytest.mark.parametrize("size", [2, 1])
def test_groups_within_another_condition_read_their_own_part_of_it(shards, tmp_path, size):
    """The only example of the second shard is not in the other condition: a group may be empty."""
    in_one_job(shards, tmp_path / "outer", kind="quality", settings={"share": 0.5, "labels": []})
    outer = pd.read_parquet(tmp_path / "outer/keep.parquet").query("shard != '00001'")
    outer.to_parquet(tmp_path / "within.parquet", index=False)
    condition = {
        "kind": "m4",
        "settings": M4 | {"labels": ["occupation"]},
        "within": tmp_path / "within.parquet",
    }
    whole = in_one_job(shards, tmp_path / "whole", **condition)
    assert in_groups(shards, tmp_path / "groups", size, **condition) == whole
    assert set(pd.read_parquet(tmp_path / "whole/keep.parquet").key) < set(outer.key)


def test_rewritten_captions_go_with_their_shards(shards, tmp_path):
    rewritten = []
    for path in shards:
        rewritten.append(tmp_path / path.name)
        keys = pd.read_parquet(path)[["key"]]
        keys.assign(text="a person, " + keys.key).to_parquet(rewritten[-1], index=False)
    condition = {"kind": "neutralise", "settings": {"labels": ["occupation"]}, "rewritten": rewritten}
    whole = in_one_job(shards, tmp_path / "whole", **condition)
    assert in_groups(shards, tmp_path / "groups", 2, **condition) == whole


@pytest.mark.parametrize("size", [5, 1])
def test_a_key_in_two_groups_is_reported_and_nothing_is_written(shards, tmp_path, size):
    changed = pd.read_parquet(shards[4])
    changed.loc[7, "key"] = "2-11"
    path = tmp_path / "00004.parquet"
    changed.to_parquet(path, index=False)
    with pytest.raises(
        UserError, match=r"'2-11'.* in row 12 of .*00002\.parquet and in row 8 of .*00004\.parquet"
    ):
        in_groups([*shards[:4], path], tmp_path / "groups", size, kind="m4", settings=M4)
    assert not any((tmp_path / "groups" / file).exists() for file in FILES.values())


def test_shards_of_other_columns_are_reported(shards, tmp_path):
    path = tmp_path / "00004.parquet"
    pd.read_parquet(shards[4]).drop(columns="text.occupation=nurse").to_parquet(path, index=False)
    with pytest.raises(UserError, match=r"no column 'text\.occupation=nurse' in some of the shards"):
        in_groups([*shards[:4], path], tmp_path / "groups", 4, kind="m4", settings=M4)


@pytest.mark.parametrize("parts", [1, 2, 9])
def test_the_value_at_a_rank_is_that_of_sorting(parts):
    rng = np.random.default_rng(parts)
    values = np.concatenate(
        [rng.normal(size=200), rng.normal(size=100).round(1), [0.0, -1e300, 1e300, 5e-324]]
    )
    split = [np.sort(part) for part in np.array_split(rng.permutation(values), parts)]
    found = [value_at_rank([*split, np.zeros(0)], rank) for rank in range(len(values))]
    np.testing.assert_array_equal(found, np.sort(values))
