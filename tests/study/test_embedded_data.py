"""Small synthetic data from end to end: generated, annotated, balanced, and reported in tables."""

import pandas as pd
import pytest

from clipfair.core.io import read_json
from tests.repository import Repository, jobs_of

TABLES = "results/tables/embedded/m4"
WEB = "results/annotate/embedded/dataset~embedded-web"
CONDITION = "results/balance/embedded/dataset~embedded-web/balance~{}"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The data part of the embedded study with 3,000 pairs in two shards, built once from nothing."""
    repository = Repository(tmp_path_factory.mktemp("data"))

    def make_small(config):
        config["studies"]["embedded"]["tables"] = ["m4/conditions", "m4/annotation-quality", "m4/table4"]
        config["generated"] = {"embedded-web": {"settings": {"pairs": 3000, "shard_size": 1500}}}
        config["annotations"] = {"embedded-web": {"shards": 2, "encoder": {"fit_shards": 1}}}
        balances = ["baseline", "proxies", "drop-human-100", "neutralise"]
        config["tables"] = {"m4/conditions": {"balances": balances}}

    repository.edit_yaml("config.yaml", make_small)
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return repository


def test_the_planted_association_is_found_and_removed(built):
    table = pd.read_csv(built.folder / TABLES / "conditions.csv").set_index("balance")
    assert table.loc["baseline", "association_bias_before"] > 0.03
    proxies = table.loc["proxies"]
    assert proxies["representation_bias_before"] > 0.03
    assert proxies["representation_bias_after"] < 1e-6
    assert proxies["association_bias_after"] < 1e-6
    assert proxies["unsatisfied"] == 0
    assert proxies["relative_gap"] < 1e-9


def test_without_humans_none_is_kept_and_rewriting_keeps_all(built):
    table = pd.read_csv(built.folder / TABLES / "conditions.csv").set_index("balance")
    assert table.loc["drop-human-100", "humans_sample"] == 0
    rewritten = pd.read_parquet(built.folder / CONDITION.format("neutralise") / "keep.parquet")
    assert len(rewritten) == 3000
    assert not rewritten["text"].str.contains(r"\b(?:man|woman|he|she)\b").any()


def test_text_is_annotated_without_error_and_images_far_above_chance(built):
    record = read_json(built.folder / WEB / "quality.json")
    quality = pd.DataFrame(record["values"])
    whole = quality[quality["group"] == "all"].set_index(["modality", "value"])
    text = whole.loc["text"].dropna(subset=["precision", "recall"])
    assert text[["precision", "recall"]].min(axis=None) == 1
    man = whole.loc["image", "gender=man"]
    assert man["precision"] > 1.5 * man["true"] / man["n"]
    assert man["recall"] > 0.5
    assert record["similarity_auc"] > 0.7


def test_keys_of_a_condition_are_those_of_the_shards(built):
    shards = [pd.read_parquet(built.folder / WEB / f"shard~0000{index}.parquet") for index in (0, 1)]
    known = pd.concat(shards)["key"]
    kept = pd.read_parquet(built.folder / CONDITION.format("proxies") / "keep.parquet")["key"]
    assert known.is_unique
    assert set(kept) < set(known)


def test_a_second_call_has_nothing_to_do(built):
    assert built.planned() == {}


def test_groups_of_shards_give_the_same_condition_and_leave_no_files(built):
    folder = built.folder / CONDITION.format("neutralise")

    def files():
        return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}

    def make_groups(config):
        config["annotations"]["embedded-web"]["shards_per_job"] = 1

    expected = files()
    built.edit_yaml("config.yaml", make_groups)
    run = built.snakemake("--", f"{CONDITION.format('neutralise')}/keep.parquet")
    assert run.returncode == 0, run.stderr
    jobs = {"count_patterns": 2, "solve_condition": 1, "sample_shards": 2, "make_condition": 1}
    assert jobs_of(run.stdout + run.stderr) == jobs
    assert files() == expected
