import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clipfair.balance import table as table_module
from clipfair.balance.counts import PatternCounts, check_varied, count_table, merge, read_counts, write_counts
from clipfair.balance.table import Indicator, Layout, Table, decode, describe, encode
from clipfair.core.errors import UserError
from clipfair.m4 import collapse


def layout_of(path, **options):
    return describe(Table(path), sensitive=["sex", "young"], labels=["occupation", "rich"], **options)


def sorted_counts(counts):
    order = np.lexsort(counts.rows.T)
    return counts.rows[order], counts.count[order]


def indicators(people):
    sensitive = np.stack([people.sex == "Female", people.sex == "Male", people.young], axis=1)
    labels = [people.occupation == value for value in ("nurse", "other", "pilot")]
    return sensitive, np.stack([*labels, people.rich == 1], axis=1)


def test_columns_become_indicators(people_file):
    layout = layout_of(people_file)
    assert [i.name for i in layout.sensitive] == ["sex=Female", "sex=Male", "young"]
    assert [i.name for i in layout.labels] == [
        "occupation=nurse",
        "occupation=other",
        "occupation=pilot",
        "rich",
    ]


@pytest.mark.parametrize("utility", [None, "utility"])
def test_encoding_goes_there_and_back(people, people_file, utility):
    layout = layout_of(people_file, utility=utility)
    batch = next(iter(Table(people_file).batches(layout.columns)))
    sensitive, labels, utilities = decode(encode(batch, layout), layout)
    expected_sensitive, expected_labels = indicators(people)
    np.testing.assert_array_equal(sensitive, expected_sensitive)
    np.testing.assert_array_equal(labels.toarray(), expected_labels)
    np.testing.assert_array_equal(utilities, people.utility if utility else np.ones(len(people)))


def test_counts_are_those_of_the_examples(people, people_file):
    layout = layout_of(people_file, utility="utility")
    counted = count_table(Table(people_file), layout).patterns()
    expected, _ = collapse(*indicators(people), people.utility.to_numpy())

    def as_set(patterns):
        parts = (
            patterns.sensitive,
            patterns.labels.toarray(),
            patterns.utility[:, None],
            patterns.count[:, None],
        )
        return {tuple(map(float, row)) for row in np.hstack(parts)}

    assert as_set(counted) == as_set(expected)
    assert counted.examples == len(people)


def test_batches_do_not_change_the_counts(people_file, monkeypatch):
    layout = layout_of(people_file)
    whole = sorted_counts(count_table(Table(people_file), layout))
    monkeypatch.setattr(table_module, "_BATCH_ROWS", 17)
    small = sorted_counts(count_table(Table(people_file), layout))
    np.testing.assert_array_equal(small[0], whole[0])
    np.testing.assert_array_equal(small[1], whole[1])


def test_counts_of_shards_add_up(people, tmp_path, write_table):
    layout = layout_of(write_table(people, tmp_path / "all.parquet"))
    shards = [
        count_table(Table(write_table(part, tmp_path / f"shard{i}.csv")), layout)
        for i, part in enumerate([people[:100], people[100:101], people[101:]])
    ]
    whole = sorted_counts(count_table(Table(tmp_path / "all.parquet"), layout))
    merged = sorted_counts(merge(shards))
    np.testing.assert_array_equal(merged[0], whole[0])
    np.testing.assert_array_equal(merged[1], whole[1])
    other = PatternCounts(Layout((Indicator("x"),), ()), shards[0].rows, shards[0].count)
    with pytest.raises(UserError, match="one layout"):
        merge([shards[0], other])


@pytest.mark.parametrize("utility", [None, "utility"])
def test_counts_are_kept_in_a_file(people_file, tmp_path, utility):
    counts = count_table(Table(people_file), layout_of(people_file, utility=utility))
    write_counts(tmp_path / "counts.parquet", counts)
    read = read_counts(tmp_path / "counts.parquet")
    assert read.layout == counts.layout
    np.testing.assert_array_equal(read.rows, counts.rows)
    np.testing.assert_array_equal(read.count, counts.count)


def test_missing_cells(people, tmp_path, write_table):
    people = people.assign(sex=people.sex.where(people.index != 6, None))
    for suffix in ("parquet", "csv"):
        path = write_table(people, tmp_path / f"missing.{suffix}")
        with pytest.raises(UserError, match=r"'sex': missing value in row 7"):
            count_table(Table(path), layout_of(path))
        counts = count_table(Table(path), layout_of(path, missing="unset")).patterns()
        neither = ~counts.sensitive[:, :2].any(axis=1)
        assert counts.count[neither].sum() == 1


def test_dictionary_and_large_string_columns(people, tmp_path):
    plain = pa.Table.from_pandas(people)
    frame = people.assign(sex=people.sex.astype("category"))
    wide = pa.Table.from_pandas(frame)
    at = wide.schema.get_field_index("occupation")
    wide = wide.set_column(at, "occupation", wide["occupation"].cast(pa.large_string()))
    results = []
    for name, content in (("plain", plain), ("wide", wide)):
        path = tmp_path / f"{name}.parquet"
        pa.parquet.write_table(content, path)
        results.append(sorted_counts(count_table(Table(path), layout_of(path))))
    np.testing.assert_array_equal(results[0][0], results[1][0])


def test_words_for_true_and_false(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("a,b\nTrue,0\nfalse,1\nTRUE,1\n")
    layout = describe(Table(path), sensitive=["a"], labels=["b"])
    batch = next(iter(Table(path).batches(layout.columns)))
    sensitive, labels, _ = decode(encode(batch, layout), layout)
    assert sensitive.ravel().tolist() == [1, 0, 1]
    assert labels.toarray().ravel().tolist() == [0, 1, 1]


def test_a_slice_of_a_batch_encodes_as_those_rows(people_file):
    layout = layout_of(people_file)
    batch = next(iter(Table(people_file).batches(layout.columns)))
    np.testing.assert_array_equal(encode(batch.slice(13, 100), layout), encode(batch, layout)[13:113])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sensitive": ["gender"]}, r"no column 'gender': its columns are id, sex, young, occupation"),
        ({"sensitive": ["age"]}, r"'age' holds numbers \(18, 19, 20, ...\), expected 0/1 or text"),
        ({"labels": ["id"]}, "'id' has more than 1000 values"),
        ({"labels": ["sex"]}, "'sex' is named twice"),
        ({"utility": "weight"}, "no column 'weight'"),
    ],
)
def test_describe_refuses(people_file, options, message):
    with pytest.raises(UserError, match=message):
        describe(Table(people_file), **({"sensitive": ["sex"], "labels": ["rich"]} | options))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sex": "Diverse"}, "'sex': unknown value 'Diverse': expected Female, Male"),
        ({"rich": 2}, "'rich': unknown value '?2'?: expected 0/1"),
    ],
)
def test_a_shard_with_a_value_that_the_layout_does_not_know(people, tmp_path, write_table, change, message):
    layout = layout_of(write_table(people, tmp_path / "first.parquet"))
    for suffix in ("parquet", "csv"):
        shard = write_table(people[:5].assign(**change), tmp_path / f"second.{suffix}")
        with pytest.raises(UserError, match=message):
            count_table(Table(shard), layout)


def test_constant_columns_are_refused(people, tmp_path, write_table):
    path = write_table(people.assign(rich=0, young=True), tmp_path / "constant.parquet")
    for names, message in ((["young"], "'young' is always set"), (["sex"], "'rich' is never set")):
        layout = describe(Table(path), sensitive=names, labels=["rich"])
        counts = count_table(Table(path), layout)
        with pytest.raises(UserError, match=message):
            check_varied(counts, counts.patterns())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 0.0], "utility 0.0 in row 2"),
        ([1.0, -1.0], "utility -1.0 in row 2"),
        ([float("inf"), 1.0], "utility inf in row 1"),
        ([1.0, None], "'u': missing value in row 2"),
        (["1", "much"], "utilities must be numbers"),
    ],
)
def test_utilities_are_checked(values, message, tmp_path, write_table):
    frame = pd.DataFrame({"a": [True, False], "b": [False, True], "u": values})
    for suffix in ("parquet", "csv"):
        path = write_table(frame, tmp_path / f"u.{suffix}")
        layout = describe(Table(path), sensitive=["a"], labels=["b"], utility="u")
        with pytest.raises(UserError, match=message):
            count_table(Table(path), layout)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        Table(tmp_path / "absent.csv")
    for name, content, message in (
        ("table.xlsx", "x", r"must end in .parquet or .csv"),
        ("empty.csv", "", "cannot be read as csv"),
        ("broken.parquet", "not parquet", "cannot be read as parquet"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=message):
            Table(tmp_path / name)
    (tmp_path / "header.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="has no rows"):
        describe(Table(tmp_path / "header.csv"), sensitive=["a"], labels=["b"])
    pd.DataFrame({"a": [], "b": []}).astype(bool).to_parquet(tmp_path / "none.parquet")
    layout = describe(Table(tmp_path / "none.parquet"), sensitive=["a"], labels=["b"])
    with pytest.raises(UserError, match="has no rows"):
        count_table(Table(tmp_path / "none.parquet"), layout)
    (tmp_path / "ragged.csv").write_text("a,b\n1,0\n0\n")
    with pytest.raises(UserError, match="cannot be read"):
        describe(Table(tmp_path / "ragged.csv"), sensitive=["a"], labels=["b"])
