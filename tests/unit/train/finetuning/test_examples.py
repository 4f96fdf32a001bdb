"""The data of a fine-tuning: texts cut as published, images decoded once, parts by key, bad input named."""

import numpy as np
import pandas as pd
import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.data import decoded
from clipfair.data.images import open_image
from clipfair.train.finetuning.examples import check_groups, choose_part, cut_texts, read_splits, with_texts
from tests.unit.train.finetuning_data import RECIPE, SIZES, make_model, make_table, write_data


@pytest.fixture(scope="module")
def built():
    return make_model()


def read(tmp_path, table, built, *, seed=0, **recipe):
    data = write_data(tmp_path, table)
    return read_splits({**RECIPE, **recipe}, data, built, seed=seed, cache=data["cache"])


# --- texts ------------------------------------------------------------------------------------


def test_a_text_without_a_limit_is_kept_whole():
    table = pd.DataFrame({"key": ["1"], "captions": [["one two three"]]})
    assert cut_texts(table, None) == ["one two three"]


def test_a_text_that_is_empty_after_cutting_is_refused():
    table = pd.DataFrame({"key": ["data_00007"], "captions": [["glaucomatous"]]})
    with pytest.raises(UserError, match=r"the text of data_00007 is empty after cutting at 5 characters"):
        cut_texts(table, 5)
    with pytest.raises(UserError, match="data_00007 is empty"):
        cut_texts(pd.DataFrame({"key": ["data_00007"], "captions": [[]]}), 5)


def test_texts_are_the_caption_the_label_or_the_note():
    table = pd.DataFrame({"captions": [["a summary"], ["another"]], "note": ["A note.", None]})
    labels, recipe = np.array([1, 0]), {"prompts": ["no glaucoma", "glaucoma"]}
    found = {
        source: [one[0] for one in with_texts(table, labels, recipe | {"text_source": source})["captions"]]
        for source in ("caption", "label", "note")
    }
    assert found == {
        "caption": ["a summary", "another"],
        "label": ["glaucoma", "no glaucoma"],
        "note": ["A note.", ""],
    }
    with pytest.raises(UserError, match="text_source: unknown column 'notes'"):
        with_texts(table, labels, recipe | {"text_source": "notes"})


def test_tokens_are_those_of_the_text_source(tmp_path, built):
    train = read(tmp_path, make_table(), built, text_source="label")["train"]
    assert torch.equal(train.tokens, built.tokenizer([RECIPE["prompts"][label] for label in train.labels]))


# --- images ---------------------------------------------------------------------------------


def test_images_are_those_that_the_model_prepares(tmp_path, built):
    table = make_table()
    test = read(tmp_path, table, built)["test"]
    assert len(test) == SIZES["test"]
    rows = torch.tensor([3, 0])
    found = built.normalise(test.pixels(rows))
    chosen = table[table["split"] == "test"].iloc[[3, 0]].to_dict("records")
    expected = torch.stack([built.preprocess(open_image(example, folder="")) for example in chosen])
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_no_image_is_decoded_twice(tmp_path, built, monkeypatch):
    opened = []

    def count(example, **where):
        opened.append(example["key"])
        return open_image(example, **where)

    monkeypatch.setattr(decoded, "open_image", count)
    table = make_table()
    first = read(tmp_path, table, built)
    again = read(tmp_path, table, built, subsample={"share": 0.5})
    assert sorted(opened) == table["key"].tolist()
    assert torch.equal(first["test"].stored, again["test"].stored)
    read(tmp_path, make_table(seed=1), built)
    assert len(opened) == 2 * len(table)


def test_labels_tokens_and_groups_belong_to_the_same_rows(tmp_path, built):
    table = make_table()
    train = read(tmp_path, table, built)["train"]
    part = table[table["split"] == "train"].reset_index(drop=True)
    assert train.table["key"].tolist() == part["key"].tolist()
    assert train.labels.tolist() == part["glaucoma"].tolist()
    texts = cut_texts(part, RECIPE["max_characters"])
    assert torch.equal(train.tokens, built.tokenizer(texts))
    members = train.members("race")
    assert list(members) == ["asian", "black", "white"]
    assert all((part.loc[places, "race"] == name).all() for name, places in members.items())
    unknown = int(part["race"].isna().sum())
    assert unknown
    assert sum(map(len, members.values())) == len(part) - unknown


def test_a_positive_value_names_the_label(tmp_path, built):
    test = read(tmp_path, make_table(), built, label="gender", positive="male")["test"]
    assert test.labels.tolist() == (test.table["gender"] == "male").astype(int).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": ["rase"]}, "unknown attribute 'rase' (did you mean 'race'?)"),
        ({"label": "cataract"}, "no column 'cataract'"),
        (
            {"splits": {**RECIPE["splits"], "test": {"split": "exam"}}},
            "evaluation on the test split: no example with split exam",
        ),
    ],
)
def test_a_recipe_for_other_data_is_refused(tmp_path, built, change, message):
    with pytest.raises(UserError) as error:
        read(tmp_path, make_table(), built, **change)
    assert message in str(error.value)


@pytest.mark.parametrize("arrays", [{"md": 1.0}, {"slo_fundus": np.array([{}], dtype=object)}])
def test_an_npz_that_lacks_its_image_or_is_a_pickle_is_refused(tmp_path, built, arrays):
    table = make_table().drop(columns="image_bytes")
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(UserError, match=r"data.npz: not an image that opens") as error:
        read(tmp_path, table.assign(image="data.npz"), built)
    assert "\n" not in str(error.value)


# --- parts of the examples --------------------------------------------------------------------


def test_natural_parts_are_nested_and_depend_on_keys_only():
    table = make_table()
    shares = (0.1, 0.5, 1)
    parts = [choose_part({"share": share}, table, seed=3) for share in shares]
    assert [len(part) for part in parts] == [round(share * len(table)) for share in shares]
    assert set(parts[0]) < set(parts[1]) < set(parts[2])
    shuffled = table.sample(frac=1, random_state=0)
    again = choose_part({"share": 0.5}, shuffled, seed=3)
    assert set(shuffled["key"].iloc[again]) == set(table["key"].iloc[parts[1]])
    assert set(choose_part({"share": 0.5}, table, seed=4)) != set(parts[1])


def test_forced_parts_have_the_requested_shares():
    table = make_table()
    shares = {"asian": 0.1, "black": 0.2, "white": 0.7}
    part = choose_part({"share": 0.5, "attribute": "race", "shares": shares}, table, seed=0)
    counts = table["race"].iloc[part].value_counts()
    wanted = round(0.5 * len(table))
    assert counts.to_dict() == {group: round(share * wanted) for group, share in shares.items()}
    assert len(set(part)) == len(part)


def test_disjoint_parts_are_a_partition_and_depend_on_keys_and_seed_alone():
    table = make_table()
    count = len(table) // 20
    parts = [choose_part({"disjoint": 20}, table, seed=seed) for seed in range(count)]
    assert [len(part) for part in parts] == [20] * count
    assert len(set(np.concatenate(parts))) == 20 * count
    shuffled = table.sample(frac=1, random_state=0)
    again = choose_part({"disjoint": 20}, shuffled, seed=1)
    assert set(shuffled["key"].iloc[again]) == set(table["key"].iloc[parts[1]])
    with pytest.raises(UserError, match=f"part {count} of 20 examples each needs {20 * (count + 1)}"):
        choose_part({"disjoint": 20}, table, seed=count)


@pytest.mark.parametrize(
    ("subsample", "message"),
    [
        ({"share": 0}, "subsample.share is 0; expected more than 0, at most 1"),
        ({"share": 1.5}, "subsample.share is 1.5"),
        (
            {"share": 1, "attribute": "race", "shares": {"asian": 1.0}},
            "examples are 134 of race asian, which has",
        ),
        ({"share": 0.1, "attribute": "race", "shares": {"asian": 0.5}}, "sum to 0.5; expected 1"),
        ({"share": 0.1, "attribute": "race", "shares": {"azian": 1}}, "unknown group 'azian'"),
        ({"share": 0.1, "attribute": "rase", "shares": {"asian": 1}}, "unknown attribute 'rase'"),
        ({"disjoint": 200}, "part 0 of 200 examples each needs 200; the training split has "),
    ],
)
def test_an_impossible_part_is_refused(subsample, message):
    with pytest.raises(UserError) as error:
        choose_part(subsample, make_table(), seed=0)
    assert message in str(error.value)


# --- groups -----------------------------------------------------------------------------------


def test_an_attribute_with_one_group_is_refused(tmp_path, built):
    table = make_table()
    table["race"] = pd.Categorical(["white"] * len(table))
    with pytest.raises(UserError, match=r"attribute 'race' has 1 group \(white\); a fairness loss needs"):
        check_groups(read(tmp_path, table, built), ["race"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_group_without_examples_is_refused(tmp_path, built, split):
    table = make_table()
    table.loc[table["split"] == split, "race"] = "white"
    with pytest.raises(UserError, match=rf"group 'asian' has no example in the {split} split"):
        check_groups(read(tmp_path, table, built), ["race"])
    check_groups(read(tmp_path, table, built), ["gender"])
