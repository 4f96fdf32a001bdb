"""Tables as people bring them: file kinds, missing marks, column types."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from clipfair.balance.__main__ import main
from clipfair.balance.counts import count_tables
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.core.errors import UserError


def patterns_of(path, **options):
    tables = [AnnotationTable(path)]
    layout = infer_layout(tables, **options)
    return count_tables([tables[0]], layout).patterns(), [indicator.name for indicator in layout.indicators]


def run(*arguments):
    main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 1
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def small():
    return pd.DataFrame({"sex": ["f", "m", "m", "f", "m", "m"] * 50, "rich": [1, 1, 0, 0, 1, 0] * 50})


def test_line_breaks_in_quoted_cells_across_blocks_of_the_reader(tmp_path):
    rows = 20_000  # 20 MB: two blocks
    text = "a line\nand, another\n" * 50
    lines = (f'"{text}",{"f" if i % 3 else "m"},{i % 2}' for i in range(rows))
    path = tmp_path / "captions.csv"
    path.write_text("caption,sex,rich\n" + "\n".join(lines) + "\n")
    assert path.stat().st_size > 1 << 24
    patterns, _ = patterns_of(path, sensitive=["sex"], labels=["rich"])
    assert patterns.examples == rows


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_numbers_zero_and_one_with_nan_are_one_indicator_with_missing_values(tmp_path, write_table, suffix):
    frame = pd.DataFrame({"old": [0.0, 1.0, np.nan, 1.0], "rich": [0.0, 1.0, 1.0, 0.0]})
    path = write_table(frame, tmp_path / f"t.{suffix}")
    patterns, names = patterns_of(path, sensitive=["old"], labels=["rich"], missing="unset")
    assert names == ["old", "rich"]
    assert patterns.count @ patterns.sensitive == [2]
    with pytest.raises(UserError, match="'old': missing value in row 3"):
        patterns_of(path, sensitive=["old"], labels=["rich"])


@pytest.mark.parametrize("mark", ["NA", "nan", "N/A", "?", ""])
def test_marks_of_missing_cells_are_no_groups(tmp_path, capsys, mark):
    path = tmp_path / "t.csv"
    path.write_text("sex,rich\n" + "f,0\nm,1\nf,1\n" * 20 + f"{mark},1\n")
    assert "missing value in row 61" in fails(
        capsys, path, "--sensitive", "sex", "--labels", "rich", "--out", tmp_path / "out"
    )
    _, names = patterns_of(path, sensitive=["sex"], missing="unset")
    assert names == ["sex=f", "sex=m"]


def test_values_that_differ_in_case_or_spaces_or_look_missing_are_reported(tmp_path, capsys):
    frame = pd.DataFrame({"sex": ["Male", "male", " Male", "female", "NA"] * 40, "rich": [0, 1] * 100})
    frame.to_parquet(tmp_path / "t.parquet")
    run(
        tmp_path / "t.parquet",
        "--sensitive",
        "sex",
        "--labels",
        "rich",
        "--rate",
        "0.5",
        "--out",
        tmp_path / "o",
    )
    err = capsys.readouterr().err
    assert "' Male', 'Male', 'male' are separate groups" in err
    assert "'NA' is a group of its own" in err


@pytest.mark.parametrize(
    "name", ["t.csv", "T.CSV", "t.tsv", "t.txt", "t.csv.gz", "t.tsv.GZ", "t.pq", "T.PARQUET", "semicolon.csv"]
)
def test_kinds_of_files(tmp_path, small, name):
    path = tmp_path / name
    lower = name.lower()
    if lower.endswith(("pq", "parquet")):
        small.to_parquet(path)
    else:
        separator = "\t" if ".tsv" in lower else ";" if "semicolon" in lower else ","
        text = small.to_csv(index=False, sep=separator).encode()
        path.write_bytes(gzip.compress(text) if lower.endswith("gz") else text)
    patterns, names = patterns_of(path, sensitive=["sex"], labels=["rich"])
    assert names == ["sex=f", "sex=m", "rich"]
    assert patterns.examples == 300


def test_a_folder_of_shards_is_one_table_and_has_a_keep_list_each(tmp_path, small):
    shards = tmp_path / "shards"
    (shards / "part").mkdir(parents=True)
    (shards / "_metadata.csv").write_text("not,a\nshard,0\n")
    small = small.assign(uid=[f"{i:032x}" for i in range(300)][::-1])
    small[:100].to_parquet(shards / "00000.parquet")
    small[100:120].to_csv(shards / "00001.csv", index=False)
    small[120:].to_parquet(shards / "part" / "00003.parquet")
    small[:0].to_csv(shards / "00002.csv", index=False)
    small[:0].to_parquet(shards / "00004.parquet")
    common = ["--sensitive", "sex", "--labels", "rich", "--key", "uid", "--rate", "0.5"]
    run(shards, *common, "--per-shard", "--uids", "--out", tmp_path / "out")
    small.to_parquet(tmp_path / "whole.parquet")
    run(tmp_path / "whole.parquet", *common, "--out", tmp_path / "whole")
    keep = set(pd.read_parquet(tmp_path / "out" / "keep.parquet").key)
    assert keep == set(pd.read_parquet(tmp_path / "whole" / "keep.parquet").key)
    parts = {
        name: pd.read_parquet(tmp_path / "out" / "keep" / f"{name}.parquet").key.tolist()
        for name in ("00000", "00001", "00002", "00003", "00004")
    }
    assert set().union(*parts.values()) == keep
    assert parts["00002"] == parts["00004"] == []
    assert set(parts["00001"]) <= set(small.uid[100:120])
    # DataComp: pairs of the first and last 16 hexadecimal digits, sorted.
    uids = np.load(tmp_path / "out" / "uids.npy")
    assert uids.dtype == np.dtype("u8,u8")
    assert [f"{high:016x}{low:016x}" for high, low in uids] == sorted(keep)


def test_row_numbers_count_on_over_files(tmp_path, small):
    for name in ("a", "b"):
        small.to_parquet(tmp_path / f"{name}.parquet")
    run(tmp_path / "a.parquet", tmp_path / "b.parquet", "--sensitive", "sex", "--out", tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out" / "weights.parquet").key.tolist() == list(range(600))


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_(pa.int32())])
def test_lists_are_several_labels_of_one_example(tmp_path, kind):
    values = [["1"], ["1", "2"], [], ["2", "2"], ["3", "1"]]
    if kind == pa.list_(pa.int32()):
        values = [[int(value) for value in row] for row in values]
    table = pa.table({"sex": ["f", "m", "f", "m", "m"], "tags": pa.array(values, kind)})
    pq.write_table(table, tmp_path / "t.parquet")
    patterns, names = patterns_of(tmp_path / "t.parquet", sensitive=["sex"], labels=["tags"])
    assert names == ["sex=f", "sex=m", "tags=1", "tags=2", "tags=3"]
    assert (patterns.labels.T @ patterns.count).tolist() == [3, 2, 1]


def test_integer_codes_are_categories_when_named(tmp_path, write_table):
    frame = pd.DataFrame({"race": [1, 2, 7, 2] * 10, "rich": [0, 1] * 20})
    for suffix in ("parquet", "csv"):
        path = write_table(frame, tmp_path / f"t.{suffix}")
        with pytest.raises(UserError, match=r"holds numbers \(1, 2, 7, ...\).*--categories"):
            patterns_of(path, sensitive=["race"])
        patterns, names = patterns_of(path, sensitive=["race"], labels=["rich"], categories=["race"])
        assert names == ["race=1", "race=2", "race=7", "rich"]
        assert (patterns.count @ patterns.sensitive).tolist() == [10, 20, 10]
    gaps = write_table(frame.assign(race=frame.race.where(frame.race < 7)), tmp_path / "gaps.parquet")
    _, names = patterns_of(gaps, sensitive=["race"], categories=["race"], missing="unset")
    assert names == ["race=1", "race=2"]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_soft_columns_hold_probabilities(tmp_path, write_table, suffix):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"woman": rng.choice([0, 0.25, 0.5, 1], 500), "rich": rng.choice([0.0, 0.75, 1], 500)}
    )
    path = write_table(frame, tmp_path / f"t.{suffix}")
    with pytest.raises(UserError, match="--soft"):
        patterns_of(path, sensitive=["woman"], labels=["rich"])
    soft = ["--soft", "woman", "rich", "--rate", "0.6", "--out", tmp_path / "out"]
    run(path, "--sensitive", "woman", "--labels", "rich", *soft)
    weights = pd.read_parquet(tmp_path / "out" / "weights.parquet").weight.to_numpy()
    centred = frame.woman - frame.woman.mean()
    assert (weights * centred).mean() == pytest.approx(0, abs=1e-9)
    assert (weights * centred * frame.rich).mean() == pytest.approx(0, abs=1e-9)
    # The stored solution reads soft values, too.
    run("weigh", tmp_path / "out" / "dual.json", path, "--out", tmp_path / "again")
    again = pd.read_parquet(tmp_path / "again" / "weights.parquet").weight.to_numpy()
    np.testing.assert_array_equal(again, weights)


def test_without_labels_only_the_proportions_are_balanced(tmp_path, small):
    small.to_parquet(tmp_path / "t.parquet")
    run(
        tmp_path / "t.parquet",
        "--sensitive",
        "sex",
        "--target",
        "sex=f:0.5",
        "--rate",
        "max",
        "--out",
        tmp_path / "o",
    )
    audit = json.loads((tmp_path / "o" / "audit.json").read_text())
    assert audit["bias"]["after"]["representation_bias"] == pytest.approx(0, abs=1e-9)
    assert audit["bias"]["after"]["association_bias"] is None
    assert audit["rate"]["target"] == pytest.approx(2 / 3, rel=1e-4)  # 100 women and 100 of 200 men


def odd_columns():
    times = pd.to_datetime(["2020-01-01", "2021-01-01"])
    return {
        "when": (pa.array(times), "holds timestamp"),
        "struct": (pa.array([{"a": 1}, {"a": 2}]), "holds struct"),
        "binary": (pa.array([b"a", b"\xff"]), "holds binary"),
        "nested": (pa.array([[["a"]], [["b"]]]), "holds list"),
    }


@pytest.mark.parametrize("name", ["when", "struct", "binary", "nested"])
def test_columns_of_other_types_are_one_line(tmp_path, capsys, name):
    column, message = odd_columns()[name]
    pq.write_table(pa.table({name: column, "sex": ["f", "m"]}), tmp_path / "t.parquet")
    last = fails(
        capsys, tmp_path / "t.parquet", "--sensitive", "sex", "--labels", name, "--out", tmp_path / "o"
    )
    assert last.startswith("clipfair: ")
    assert message in last
    assert "expected 0/1" in last
    assert not (tmp_path / "o").exists()


def test_half_precision_is_read(tmp_path):
    half = pa.array(np.array([0, 1, 1, 0], dtype=np.float16))
    pq.write_table(pa.table({"old": half, "rich": [True, False, True, False]}), tmp_path / "t.parquet")
    patterns, _ = patterns_of(tmp_path / "t.parquet", sensitive=["old"], labels=["rich"])
    assert patterns.count @ patterns.sensitive == [2]


def test_headers_that_cannot_be_used(tmp_path, capsys):
    (tmp_path / "twice.csv").write_text("sex,sex,rich\nf,m,1\nm,f,0\n")
    (tmp_path / "latin.csv").write_bytes("größe,sex\n1,f\n0,m\n".encode("latin-1"))
    assert "'sex' occurs more than once" in fails(
        capsys, tmp_path / "twice.csv", "--sensitive", "sex", "--out", tmp_path / "o"
    )
    assert "not UTF-8: convert it" in fails(
        capsys, tmp_path / "latin.csv", "--sensitive", "sex", "--out", tmp_path / "o"
    )


def test_files_and_folders_that_hold_no_table(tmp_path, capsys, small):
    (tmp_path / "empty").mkdir()
    small.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "damaged.csv.gz").write_bytes(b"not compressed")
    options = ["--sensitive", "sex", "--out", tmp_path / "o"]
    assert "no table in this folder" in fails(capsys, tmp_path / "empty", *options)
    assert "named twice" in fails(capsys, tmp_path / "t.csv", tmp_path / "t.csv", *options)
    for name in ("a", "b"):
        small[:0].to_csv(tmp_path / "empty" / f"{name}.csv", index=False)
    assert "the tables have no rows" in fails(capsys, tmp_path / "empty", *options)
    assert "damaged.csv.gz: cannot be read" in fails(capsys, tmp_path / "damaged.csv.gz", *options)


def test_a_repeated_key_in_another_file_is_found(tmp_path, capsys, small):
    small = small.assign(id=np.arange(300))
    small.to_parquet(tmp_path / "a.parquet")
    small[:1].to_parquet(tmp_path / "b.parquet")
    last = fails(
        capsys, tmp_path / "a.parquet", tmp_path / "b.parquet", "--sensitive", "sex", "--key", "id", "--out",
        tmp_path / "o",
    )  # fmt: skip
    assert "key '0' (id) is in row 1 of" in last
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("separator", [":", "^", " ", ";", "tab"])
def test_any_separator_can_be_named(tmp_path, small, separator):
    character = "\t" if separator == "tab" else separator
    # The header alone would be split at its commas.
    table = small.rename(columns={"sex": "sex,a,b,c,d"})
    table.to_csv(tmp_path / "t.csv", index=False, sep=character)
    columns = ["--sensitive", "sex,a,b,c,d", "--labels", "rich", "--rate", "0.5"]
    run(tmp_path / "t.csv", *columns, "--separator", separator, "--out", tmp_path / "out")
    table.to_parquet(tmp_path / "t.parquet")
    run(tmp_path / "t.parquet", *columns, "--out", tmp_path / "same")
    weights = [pd.read_parquet(tmp_path / name / "weights.parquet") for name in ("out", "same")]
    pd.testing.assert_frame_equal(*weights)
    dual = [tmp_path / "out" / "dual.json", tmp_path / "t.csv"]
    run("weigh", *dual, "--separator", separator, "--out", tmp_path / "again")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again" / "weights.parquet"), weights[0])


def test_a_header_of_one_cell_suggests_the_option(tmp_path, small, capsys):
    small.to_csv(tmp_path / "t.csv", index=False, sep=":")
    last = fails(capsys, tmp_path / "t.csv", "--sensitive", "sex", "--out", tmp_path / "o")
    assert "no column 'sex'" in last
    assert "--separator" in last


@pytest.mark.parametrize(("encoding", "line_end"), [("utf-8-sig", "\n"), ("utf-8", "\r\n"), ("utf-8", "\r")])
def test_byte_order_marks_and_line_ends(tmp_path, small, encoding, line_end):
    path = tmp_path / "t.csv"
    path.write_bytes(small.to_csv(index=False, lineterminator=line_end).encode(encoding))
    patterns, names = patterns_of(path, sensitive=["sex"], labels=["rich"])
    assert names == ["sex=f", "sex=m", "rich"]
    assert patterns.examples == 300


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"PAR1", "a parquet file: rename it"),
        ("t.csv", gzip.compress(b"sex,rich\n"), "compressed by gzip: rename it to end in .gz"),
        ("t.csv", b"PK\x03\x04", "a zip archive or a spreadsheet"),
        ("t.csv", "sex,rich\nf,1\n".encode("utf-16"), "iconv -f UTF-16"),
        ("t.parquet", b"sex,rich\nf,1\n", "cannot be read as parquet"),
        ("t.zip", b"PK\x03\x04", "unknown kind of file: convert it to one that ends in .parquet"),
        ("t.csv", b"", "Empty CSV file"),
        ("t.csv", b"sex,rich\nf,1,2\n", "Expected 2 columns, got 3"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_bytes(content)
    last = fails(capsys, tmp_path / name, "--sensitive", "sex", "--out", tmp_path / "o")
    assert f"{name}: " in last
    assert message in last
    assert not (tmp_path / "o").exists()


def test_types_that_differ_between_files_are_refused(tmp_path, capsys, small):
    (tmp_path / "shards").mkdir()
    small.to_parquet(tmp_path / "shards" / "a.parquet")
    small.to_csv(tmp_path / "shards" / "b.csv", index=False)  # text holds any type
    run(
        tmp_path / "shards",
        "--sensitive",
        "sex",
        "--labels",
        "rich",
        "--rate",
        "0.5",
        "--out",
        tmp_path / "o",
    )
    small.assign(rich=small.rich.map({0: "no", 1: "yes"})).to_parquet(tmp_path / "shards" / "c.parquet")
    last = fails(
        capsys, tmp_path / "shards", "--sensitive", "sex", "--labels", "rich", "--out", tmp_path / "o"
    )
    assert "'rich' holds numbers in" in last
    assert "and text in" in last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "rich", "--categories", "sex"], "'sex' holds 'f': --categories is for integer codes"),
        (["--labels", "flag", "--categories", "flag"], "--categories is for integer codes"),
        (["--labels", "share", "--categories", "share"], "holds 0.25: --categories is for integer codes"),
        (["--labels", "tags"], "'tags' holds no value: leave it out"),
        (["--labels", "rihc"], "no column 'rihc' (did you mean 'rich'?)"),
        (["--utility-transform", "exp"], "needs --utility"),
        (["--uids"], "--uids needs --key"),
    ],
)
def test_columns_and_options_that_do_not_fit(tmp_path, capsys, small, options, message):
    empty = pa.array([[]] * 300, pa.list_(pa.string()))
    table = pa.Table.from_pandas(small.assign(flag=small.rich == 1, share=0.25))
    pq.write_table(table.append_column("tags", empty), tmp_path / "t.parquet")
    assert message in fails(
        capsys, tmp_path / "t.parquet", "--sensitive", "sex", *options, "--out", tmp_path / "o"
    )


def test_a_column_whose_name_begins_like_another(tmp_path, small):
    table = small.assign(**{"sex.detail": ["x", "y"] * 150})
    table.to_parquet(tmp_path / "t.parquet")
    _, names = patterns_of(tmp_path / "t.parquet", sensitive=["sex"], labels=["sex.detail"])
    assert names == ["sex=f", "sex=m", "sex.detail=x", "sex.detail=y"]


def test_utilities_of_any_sign_are_logarithms_with_exp(tmp_path, small, capsys):
    rng = np.random.default_rng(0)
    score = rng.choice([-1.5, 0.0, 0.7], 300)
    small.assign(score=score, u=np.exp(score)).to_parquet(tmp_path / "t.parquet")
    common = [tmp_path / "t.parquet", "--sensitive", "sex", "--labels", "rich", "--rate", "0.7"]
    assert "--utility-transform exp" in fails(capsys, *common, "--utility", "score", "--out", tmp_path / "o")
    run(*common, "--utility", "score", "--utility-transform", "exp", "--out", tmp_path / "score")
    run(*common, "--utility", "u", "--out", tmp_path / "u")
    weights = [pd.read_parquet(tmp_path / name / "weights.parquet") for name in ("score", "u")]
    pd.testing.assert_frame_equal(*weights)
    # The stored solution transforms new utilities, too.
    run("weigh", tmp_path / "score" / "dual.json", tmp_path / "t.parquet", "--out", tmp_path / "again")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again" / "weights.parquet"), weights[0])
    # A constant added to all scores changes no weight.
    small.assign(score=score + 2).to_parquet(tmp_path / "t.parquet")
    run(*common, "--utility", "score", "--utility-transform", "exp", "--out", tmp_path / "more")
    more = pd.read_parquet(tmp_path / "more" / "weights.parquet")
    np.testing.assert_allclose(more.weight, weights[0].weight, atol=1e-9)
    small.assign(score=1e3).to_parquet(tmp_path / "t.parquet")
    last = fails(capsys, *common, "--utility", "score", "--utility-transform", "exp", "--out", tmp_path / "o")
    assert "exceeds the range of floats: standardise" in last
