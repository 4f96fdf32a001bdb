import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from clipfair.balance import table as table_module
from clipfair.balance.__main__ import main
from clipfair.m4 import bias


def run(path, out, *more, sensitive=("sex", "young"), labels=("occupation", "rich")):
    main([str(path), "--sensitive", *sensitive, "--labels", *labels, "--out", str(out), *more])


def read(out):
    weights, keep = pd.read_parquet(out / "weights.parquet"), pd.read_parquet(out / "keep.parquet")
    return weights, keep, json.loads((out / "audit.json").read_text())


def test_from_table_to_balanced_sample(people, people_file, tmp_path, people_indicators):
    run(people_file, tmp_path / "out", "--key", "id", "--target-rule", "uniform", "--rate", "0.5")
    weights, keep, audit = read(tmp_path / "out")
    assert weights.key.tolist() == people.id.tolist()
    assert weights.weight.mean() == pytest.approx(0.5)
    assert weights.weight.between(0, 1).all()

    # The audit agrees with the files.
    target = np.full(3, 0.5)
    versions = {"before": np.ones(len(people)), "after": weights.weight, "sample": people.id.isin(keep.key)}
    for name, weight in versions.items():
        data = bias.moments(*people_indicators(people), np.asarray(weight, dtype=float))
        assert audit["bias"][name]["representation_bias"] == pytest.approx(
            bias.representation_bias(data, target)
        )
        assert audit["bias"][name]["association_bias"] == pytest.approx(bias.association_bias(data))
        pairs = [pair[name] for pair in audit["pairs"]]
        np.testing.assert_allclose(pairs, bias.association(data).ravel(), atol=1e-10)
    assert audit["bias"]["before"]["association_bias"] > 0.1
    assert audit["bias"]["after"]["association_bias"] == pytest.approx(0, abs=1e-9)
    assert audit["bias"]["after"]["representation_bias"] == pytest.approx(0, abs=1e-9)
    rate = audit["rate"]
    assert rate["realised"] == len(keep) / len(people)
    assert abs(rate["realised"] - rate["target"]) < 5 * rate["standard_deviation"]
    assert audit["certificate"]["relative_gap"] < 1e-9
    assert audit["unsatisfied"] == []
    assert any("occupation=nurse" in name for name in audit["binding"])
    report = (tmp_path / "out" / "audit.md").read_text()
    assert "0 could not be satisfied" in report
    assert "| sex=Female | occupation=nurse |" in report


def test_order_and_batches_do_not_matter(people, people_file, tmp_path, write_table, monkeypatch):
    run(people_file, tmp_path / "a", "--key", "id", "--seed", "3", "--utility", "utility")
    shuffled = write_table(people.sample(frac=1, random_state=0), tmp_path / "shuffled.parquet")
    monkeypatch.setattr(table_module, "_BATCH_ROWS", 300)
    run(shuffled, tmp_path / "b", "--key", "id", "--seed", "3", "--utility", "utility")
    first, second = (set(read(tmp_path / name)[1].key) for name in "ab")
    assert first == second
    run(people_file, tmp_path / "c", "--key", "id", "--seed", "4", "--utility", "utility")
    assert set(read(tmp_path / "c")[1].key) != first


def test_the_largest_rate(people_file, tmp_path, capsys):
    run(people_file, tmp_path / "out", "--rate", "max", "--target-rule", "median", "--penalty", "1000")
    weights, _, audit = read(tmp_path / "out")
    assert weights.key.tolist() == list(range(len(weights)))  # without a key, the row numbers
    assert audit["certificate"]["largest_violation"] < 1e-6
    assert audit["rate"]["target"] > 0.5
    assert "largest rate" in capsys.readouterr().err


def test_what_cannot_be_satisfied_is_named(people_file, tmp_path):
    run(people_file, tmp_path / "out", "--target", "sex=Female:0.9", "young:0.9", "--rate", "0.9")
    _, _, audit = read(tmp_path / "out")
    named = {row["constraint"]: row["violation"] for row in audit["unsatisfied"]}
    assert named["young x representation"] > 0.1
    report = (tmp_path / "out" / "audit.md").read_text()
    assert "Largest violations" in report
    assert "young x representation" in report


def test_further_examples_are_weighed_by_an_earlier_balancing(people, people_file, tmp_path, write_table):
    run(people_file, tmp_path / "out", "--key", "id", "--rate", "0.5")
    weights, keep, _ = read(tmp_path / "out")
    further = write_table(people[500:600], tmp_path / "further.parquet")
    dual = str(tmp_path / "out" / "dual.json")
    main(["weigh", dual, str(further), "--key", "id", "--out", str(tmp_path / "more")])
    assert pd.read_parquet(tmp_path / "more" / "weights.parquet").equals(
        weights[500:600].reset_index(drop=True)
    )
    kept = pd.read_parquet(tmp_path / "more" / "keep.parquet")
    assert set(kept.key) == set(keep.key) & set(people[500:600].id)


def test_without_a_limit_on_weights_the_largest_one_is_kept_for_certain(people_file, tmp_path):
    run(people_file, tmp_path / "out", "--rate", "1", "--max-weight", "inf")
    weights, keep, audit = read(tmp_path / "out")
    assert weights.weight.mean() == pytest.approx(1)
    assert audit["rate"]["target"] == pytest.approx(1 / weights.weight.max())
    assert abs(len(keep) / len(weights) - audit["rate"]["target"]) < 5 * audit["rate"]["standard_deviation"]
    assert set(weights.key[weights.weight == weights.weight.max()]) <= set(keep.key)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--sensitive", "gender"], "no column 'gender'"),
        (["--key", "name"], "no column 'name'"),
        (["--key", "sex"], "(sex) is in row"),
        (["--target", "sex=X:0.5"], "unknown group 'sex=X' (did you mean 'sex=Male'?)"),
        (["--target", "sex=Male:2"], "expected a proportion"),
        (["--rate", "1.5"], "below the rate"),
        (["--rate", "max", "--max-weight", "inf"], "--rate max needs a finite --max-weight"),
        (["--target", "sex=Male:0.5", "sex=Female:0.2"], "the targets of 'sex' sum to 0.7"),
        (["--penalty", "-1"], "penalty"),
        (["--eps-association", "1"], "eps_association"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(people_file, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as ended:
        run(people_file, tmp_path / "out", *more)
    assert ended.value.code == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("clipfair: ")
    assert message in last
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_missing_cells_need_a_decision(people, tmp_path, write_table, capsys):
    path = write_table(
        people.assign(sex=people.sex.where(people.index % 10 > 0, None)), tmp_path / "gaps.csv"
    )
    with pytest.raises(SystemExit):
        run(path, tmp_path / "out")
    assert "--missing unset" in capsys.readouterr().err
    run(path, tmp_path / "out", "--missing", "unset", "--rate", "0.4")
    proportions = {row["group"]: row for row in read(tmp_path / "out")[2]["groups"]}
    total = proportions["sex=Female"]["before"] + proportions["sex=Male"]["before"]
    assert total == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv", "--sensitive", "sex", "--out", "o", "--target", "sex"], "'sex': expected GROUP:SHARE"),
        (["t.csv", "--sensitive", "sex", "--out", "o", "--rate", "most"], "expected a number, or max"),
        (["t.csv", "--sensitive", "sex", "--out", "o", "--seed", "-1"], "expected a whole number from 0"),
        (["t.csv", "--sensitive", "sex", "--out", "o", "--processes", "0"], "whole number from 1"),
        (["t.csv", "--sensitive", "sex", "--out", "o", "--separator", "::"], "one ASCII character"),
        (["t.csv", "--sensitive", "sex", "--out", ""], "expected the name of a folder"),
        (["t.csv", "--sensitve", "sex", "--out", "o"], "(did you mean '--sensitive'?)"),
        (["--sensitive", "sex", "t.csv", "--out", "o"], "TABLE (tables come before the options)"),
        (["weigh", "dual.json", "--out", "o"], "TABLE (tables come before the options)"),
        ([], "required: TABLE, --sensitive, --out"),
    ],
)
def test_misspelt_options_are_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.startswith("clipfair: ")
    assert shown.endswith("--help describes all options\n")
    assert shown.count("\n") == 1


@pytest.mark.parametrize("typo", ["wiegh", "weight", "wigh"])
def test_a_mistyped_command_is_corrected(capsys, typo):
    with pytest.raises(SystemExit) as ended:
        main([typo, "dual.json", "t.csv", "--out", "o"])
    assert ended.value.code == 1
    assert "did you mean 'weigh'?" in capsys.readouterr().err


def test_help_of_the_command():
    shown = subprocess.run(
        [sys.executable, "-m", "clipfair.balance", "--help"], capture_output=True, text=True, check=True
    )
    assert "dual.json" in shown.stdout
