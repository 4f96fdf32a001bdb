import numpy as np
import pyarrow as pa
import pytest

from clipfair.balance import table as table_module
from clipfair.balance.counts import PatternCounts, check_varied, count_tables, merge
from clipfair.balance.indicators import Indicator, IndicatorLayout
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.core.errors import UserError
from clipfair.m4 import collapse


def sorted_counts(counts):
    order = np.lexsort(counts.rows.T)
    return counts.rows[order], counts.count[order]


def test_counts_are_those_of_the_examples(people, people_file, people_layout, people_indicators):
    layout = people_layout(people_file, utility="utility")
    counted = count_tables([AnnotationTable(people_file)], layout).patterns()
    expected, _ = collapse(*people_indicators(people), people.utility.to_numpy())

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


def test_batches_do_not_change_the_counts(people_file, monkeypatch, people_layout):
    layout = people_layout(people_file)
    whole = sorted_counts(count_tables([AnnotationTable(people_file)], layout))
    monkeypatch.setattr(table_module, "_BATCH_ROWS", 17)
    small = sorted_counts(count_tables([AnnotationTable(people_file)], layout))
    np.testing.assert_array_equal(small[0], whole[0])
    np.testing.assert_array_equal(small[1], whole[1])


def test_counts_of_shards_add_up(people, tmp_path, write_table, people_layout):
    layout = people_layout(write_table(people, tmp_path / "all.parquet"))
    shards = [
        count_tables([AnnotationTable(write_table(part, tmp_path / f"shard{i}.csv"))], layout)
        for i, part in enumerate([people[:100], people[100:101], people[101:]])
    ]
    whole = sorted_counts(count_tables([AnnotationTable(tmp_path / "all.parquet")], layout))
    merged = sorted_counts(merge(shards))
    np.testing.assert_array_equal(merged[0], whole[0])
    np.testing.assert_array_equal(merged[1], whole[1])
    other = PatternCounts(IndicatorLayout((Indicator("x"),), ()), shards[0].rows, shards[0].count)
    with pytest.raises(UserError, match="one layout"):
        merge([shards[0], other])


def test_missing_cells(people, tmp_path, write_table, people_layout):
    people = people.assign(sex=people.sex.where(people.index != 6, None))
    for suffix in ("parquet", "csv"):
        path = write_table(people, tmp_path / f"missing.{suffix}")
        with pytest.raises(UserError, match=r"'sex': missing value in row 7"):
            count_tables([AnnotationTable(path)], people_layout(path))
        counts = count_tables([AnnotationTable(path)], people_layout(path, missing="unset")).patterns()
        neither = ~counts.sensitive[:, :2].any(axis=1)
        assert counts.count[neither].sum() == 1


def test_dictionary_and_large_string_columns(people, tmp_path, people_layout):
    plain = pa.Table.from_pandas(people)
    frame = people.assign(sex=people.sex.astype("category"))
    wide = pa.Table.from_pandas(frame)
    at = wide.schema.get_field_index("occupation")
    wide = wide.set_column(at, "occupation", wide["occupation"].cast(pa.large_string()))
    results = []
    for name, content in (("plain", plain), ("wide", wide)):
        path = tmp_path / f"{name}.parquet"
        pa.parquet.write_table(content, path)
        results.append(sorted_counts(count_tables([AnnotationTable(path)], people_layout(path))))
    np.testing.assert_array_equal(results[0][0], results[1][0])


def test_constant_columns_are_refused(people, tmp_path, write_table):
    path = write_table(people.assign(rich=0, young=True), tmp_path / "constant.parquet")
    for names, message in ((["young"], "'young' is always set"), (["sex"], "'rich' is never set")):
        layout = infer_layout([AnnotationTable(path)], sensitive=names, labels=["rich"])
        counts = count_tables([AnnotationTable(path)], layout)
        with pytest.raises(UserError, match=message):
            check_varied(counts, counts.patterns())
