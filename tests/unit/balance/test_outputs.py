"""The sample, the targets, the price of violations, and that outputs appear together."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clipfair.balance import key_column, parquet_parts, weight_files
from clipfair.balance.__main__ import main
from clipfair.balance.output_folder import output_folder
from clipfair.core import io

OUTPUTS = {"weights.parquet", "keep.parquet", "audit.json", "audit.md", "dual.json"}


def run(path, out, *more, sensitive=("sex",), labels=("rich",)):
    arguments = [path, "--sensitive", *sensitive, *(["--labels", *labels] if labels else [])]
    main([str(argument) for argument in (*arguments, "--out", out, *more)])
    return json.loads((out / "audit.json").read_text())


@pytest.fixture
def people_path(people, tmp_path, write_table):
    return write_table(people, tmp_path / "people.parquet")


def test_weights_above_one_are_sampled_in_proportion_to_the_largest(people_path, tmp_path, capsys):
    audit = run(people_path, tmp_path / "out", "--rate", "1", "--max-weight", "10", "--key", "id")
    weights = pd.read_parquet(tmp_path / "out" / "weights.parquet")
    kept = len(pd.read_parquet(tmp_path / "out" / "keep.parquet")) / len(weights)
    largest = weights.weight.max()
    assert 1 < largest < 10
    assert audit["rate"]["target"] == pytest.approx(1 / largest)
    assert abs(kept - 1 / largest) < 5 * audit["rate"]["standard_deviation"]
    assert f"{kept:.2%}" in capsys.readouterr().out


def test_a_rate_below_one_is_the_share_kept(people_path, tmp_path):
    audit = run(people_path, tmp_path / "out", "--rate", "0.4", "--max-weight", "0.9")
    assert audit["rate"]["target"] == pytest.approx(0.4)


def test_the_terminal_has_the_summary(people, people_path, tmp_path, capsys):
    audit = run(people_path, tmp_path / "out", "--rate", "0.5", "--target", "sex=Female:0.5")
    shown = capsys.readouterr().out
    weights = pd.read_parquet(tmp_path / "out" / "weights.parquet").weight
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert audit["weights"]["effective_examples"] == pytest.approx(effective)
    assert f"{effective:,.0f} rows; design effect {len(people) / effective:.4f}" in shown
    lines = {line[:24].strip(): line[24:].split() for line in shown.splitlines()}
    assert lines["rows"][0] == "2,000"
    assert lines["mean weight"][0] == "0.500000"
    assert float(lines["largest weight"][0]) == pytest.approx(weights.max(), abs=1e-4)
    assert lines["violated constraints"][:3] == ["0", "of", "4,"]
    bias = audit["bias"]["before"]["representation_bias"]
    assert lines["representation bias"][:2] == [f"{bias:.4f}", "0.0000"]


def test_long_names_and_line_breaks_do_not_spoil_summary_and_page(people, tmp_path, write_table, capsys):
    sex = people.sex.map({"Female": "a\nb | c", "Male": "x" * 500})
    run(write_table(people.assign(sex=sex), tmp_path / "t.parquet"), tmp_path / "out", "--rate", "0.5")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 130
    assert sum(line.startswith("share of sex=a b") for line in lines) == 1
    assert "| sex=a b \\| c | rich |" in (tmp_path / "out" / "audit.md").read_text()


def test_at_the_largest_rate_the_price_grows_until_nothing_is_violated(people_path, tmp_path, capsys):
    columns = {"sensitive": ("sex", "young"), "labels": ("occupation", "rich")}
    audit = run(people_path, tmp_path / "out", "--rate", "max", **columns)
    assert audit["unsatisfied"] == []
    assert audit["certificate"]["largest_violation"] < 1e-9
    assert audit["weights"]["penalty"] > 10
    assert "largest rate" in capsys.readouterr().err
    audit = run(people_path, tmp_path / "out", "--rate", "max", "--penalty", "0.1", **columns)
    assert audit["weights"]["penalty"] == 0.1  # as asked, and the violations are counted
    assert f"{len(audit['unsatisfied'])} of 15, at V = 0.1" in capsys.readouterr().out


@pytest.mark.parametrize("penalty", ["1e15", "1e300"])
def test_a_gap_that_rounding_hides_is_an_error(people_path, tmp_path, capsys, penalty):
    with pytest.raises(SystemExit) as ended:
        run(
            people_path, tmp_path / "out", "--target", "sex=Female:0.9", "--penalty", penalty, "--rate", "0.9"
        )
    assert ended.value.code == 1
    assert "relative duality gap" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["sex=Male:0.7", "sex=Female:0.7"], "sum to 1.4"),
        (["sex=Male:0.5", "sex=Female:0.2"], "sum to 0.7"),
        (["sex=Male:0.5", "sex=Male:0.4"], "given twice"),
    ],
)
def test_targets_that_contradict_each_other(people_path, tmp_path, capsys, targets, message):
    with pytest.raises(SystemExit):
        run(people_path, tmp_path / "out", "--target", *targets)
    assert message in capsys.readouterr().err


def test_the_other_groups_share_what_a_target_leaves(people, tmp_path, write_table):
    race = np.resize(["a", "a", "a", "b", "c", "c"], len(people))
    path = write_table(people.assign(race=race), tmp_path / "t.parquet")
    audit = run(
        path, tmp_path / "out", "--target", "race=a:0.4", "--rate", "0.3", sensitive=("race",), labels=()
    )
    targets = {row["group"]: row["target"] for row in audit["groups"]}
    assert targets == pytest.approx({"race=a": 0.4, "race=b": 0.2, "race=c": 0.4})
    # With missing values, what is left is the rest of the examples that have a value.
    path = write_table(people.assign(race=np.where(np.arange(len(people)) % 10, race, None)), path)
    audit = run(
        path, tmp_path / "out", "--target", "race=a:0.3", "--rate", "0.3", "--missing", "unset",
        sensitive=("race",), labels=(),
    )  # fmt: skip
    assert sum(row["target"] for row in audit["groups"]) == pytest.approx(0.9)


def test_a_median_of_three_exclusive_groups_is_refused(people, tmp_path, write_table, capsys):
    path = write_table(
        people.assign(race=np.resize(["a", "a", "a", "b", "c", "c"], len(people))), tmp_path / "t.csv"
    )
    with pytest.raises(SystemExit):
        run(path, tmp_path / "out", "--target-rule", "median", sensitive=("race",))
    assert "--target-rule uniform" in capsys.readouterr().err
    run(path, tmp_path / "out", "--target-rule", "uniform", "--rate", "0.3", sensitive=("race",))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(2000), "int64"),
        ([-(10**15) - i for i in range(2000)], "int64"),
        ([f"{i:04d}" for i in range(2000)], "str"),
        ([f"p{i}" for i in range(2000)], "str"),
    ],
)
def test_keys_keep_their_type(people, tmp_path, write_table, values, expected):
    frame = people.assign(key=list(values))
    for suffix in ("csv", "parquet"):
        path = write_table(frame, tmp_path / f"t.{suffix}")
        run(path, tmp_path / suffix, "--key", "key", "--rate", "0.5")
    keep = pd.read_parquet(tmp_path / "csv" / "keep.parquet").key
    assert str(keep.dtype) == expected
    assert frame.key.isin(keep).sum() == len(keep) > 0
    assert keep.tolist() == pd.read_parquet(tmp_path / "parquet" / "keep.parquet").key.tolist()


def test_a_key_of_another_type_is_one_line(people, tmp_path, write_table, capsys):
    path = write_table(
        people.assign(key=[b"\xff" + str(i).encode() for i in range(len(people))]), tmp_path / "t.parquet"
    )
    with pytest.raises(SystemExit):
        run(path, tmp_path / "out", "--key", "key")
    assert "'key' holds binary: a key must be text or an integer" in capsys.readouterr().err


def test_new_examples_are_weighed_and_their_distance_to_the_target_reported(
    people, tmp_path, write_table, capsys
):
    run(
        write_table(people, tmp_path / "t.parquet"),
        tmp_path / "out",
        "--rate",
        "0.5",
        "--target",
        "sex=Female:0.5",
    )
    women = people[people.sex == "Female"]
    new = write_table(pd.concat([people[:500], women]), tmp_path / "new.csv")
    capsys.readouterr()
    main(["weigh", str(tmp_path / "out" / "dual.json"), str(new), "--out", str(tmp_path / "new")])
    audit = json.loads((tmp_path / "new" / "audit.json").read_text())
    weights = pd.read_parquet(tmp_path / "new" / "weights.parquet").weight
    sex = pd.read_csv(new).sex
    share = weights[sex == "Female"].sum() / weights.sum()
    assert audit["bias"]["after"]["representation_bias"] == pytest.approx(abs(share - 0.5))
    assert share > 0.6
    assert f"{abs(share - 0.5):.4f}" in capsys.readouterr().out
    assert "certificate" not in audit


def test_an_interrupt_while_weighing_leaves_earlier_outputs_alone(people_path, tmp_path, monkeypatch, capsys):
    run(people_path, tmp_path / "out", "--rate", "0.5")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(before) == OUTPUTS

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(weight_files, "check_unique", interrupt)
    with pytest.raises(SystemExit) as ended:
        run(people_path, tmp_path / "out", "--rate", "0.3", "--key", "id")
    assert ended.value.code == 130
    assert "nothing was written" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_what_a_killed_run_left_is_removed_by_the_next(people_path, tmp_path):
    code = (
        "import sys, time\n"
        "from clipfair.balance.output_folder import output_folder\n"
        f"with output_folder({str(tmp_path / 'out')!r}) as folder:\n"
        "    (folder / 'weights.parquet').write_text('half')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".clipfair-partial"]
    run(people_path, tmp_path / "out", "--rate", "0.5")
    assert {path.name for path in (tmp_path / "out").iterdir()} == OUTPUTS


def test_a_folder_in_the_place_of_an_output_is_one_line(people_path, tmp_path, capsys):
    (tmp_path / "out" / "weights.parquet").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        run(people_path, tmp_path / "out")
    assert ended.value.code == 1
    assert "weights.parquet: is a folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["weights.parquet"]


def test_a_name_that_is_too_long(people_path, tmp_path, capsys):
    for table, out in ((people_path, tmp_path / ("x" * 300)), (tmp_path / ("x" * 300 + ".csv"), tmp_path)):
        with pytest.raises(SystemExit) as ended:
            run(table, out)
        assert ended.value.code == 1
        assert "choose a shorter name" in capsys.readouterr().err


def test_sample_files_of_an_earlier_run_do_not_stay(tmp_path):
    with output_folder(tmp_path / "out") as folder:
        (folder / "keep").mkdir()
        for name in ("keep/a.parquet", "uids.npy", "dual.json"):
            (folder / name).write_text("1")
    with output_folder(tmp_path / "out") as folder:
        (folder / "weights.parquet").write_text("2")
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
        "dual.json",
        "weights.parquet",
    }


@pytest.mark.parametrize("folder", ["/proc/x", "/dev/null", "/dev/null/x"])
def test_a_folder_that_cannot_be_created(people_path, tmp_path, capsys, folder):
    with pytest.raises(SystemExit) as ended:
        run(people_path, Path(folder))
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"clipfair: {folder}: ")
    assert shown.count("\n") == 1


def test_an_error_leaves_no_parent_folders(people_path, tmp_path):
    with pytest.raises(SystemExit):
        run(people_path, tmp_path / "new" / "deep" / "out", "--rate", "2")
    with pytest.raises(SystemExit):
        run(people_path, tmp_path / "new" / "deep" / "out", "--target", "sex=X:1")
    assert not (tmp_path / "new").exists()


def test_the_output_folder_may_be_within_the_tables(people, tmp_path, write_table, capsys):
    shards = tmp_path / "shards"
    shards.mkdir()
    write_table(people, shards / "a.parquet")
    first = run(shards, tmp_path, "--rate", "0.5")
    assert run(shards, shards / "out", "--rate", "0.5") == first
    assert run(shards, shards / "out", "--rate", "0.5") == first
    for table, out in ((shards, shards), (shards / "out" / "weights.parquet", shards / "out")):
        with pytest.raises(SystemExit):
            run(table, out)
        assert "could replace it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["weights.parquet", "keep.parquet", "uids.npy"])
def test_a_full_disk_is_named_with_the_file(people, tmp_path, write_table, capsys, monkeypatch, name):
    path = write_table(
        people.assign(uid=[f"{i:032x}" for i in range(len(people))]), tmp_path / "people.parquet"
    )

    # /dev/full behaves as a full disk.
    @contextlib.contextmanager
    def full(target):
        with io.atomic_path(target) as temporary:
            if target.name == name:
                temporary.symlink_to("/dev/full")
            yield temporary

    monkeypatch.setattr(parquet_parts, "atomic_path", full)
    monkeypatch.setattr(key_column, "atomic_path", full)
    with pytest.raises(SystemExit) as ended:
        run(path, tmp_path / "out", "--rate", "0.5", "--key", "uid", "--uids")
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert f"{tmp_path / 'out' / name}: " in shown
    assert "free some space" in shown
    assert not (tmp_path / "out").exists()


def test_a_reader_of_the_summary_that_ends_is_no_error(people_path, tmp_path):
    command = [sys.executable, "-m", "clipfair.balance", str(people_path), "--sensitive", "sex"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [*command, "--rate", "0.5", "--out", str(tmp_path / "out")],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(write)
    assert ran.returncode == 0
    assert ran.stderr == b""
    assert {path.name for path in (tmp_path / "out").iterdir()} == OUTPUTS
