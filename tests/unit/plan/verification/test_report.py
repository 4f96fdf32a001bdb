"""The report of a verification in a folder with recorded results."""

from dataclasses import replace

import pytest

from clipfair.core.io import write_json
from clipfair.plan.verification.__main__ import recorded, verify
from clipfair.plan.verification.report import compare_results, summary
from clipfair.plan.verification.sample import SampledResult

SAMPLE = [
    SampledResult("mitigation", "m4", ("results/m4/metrics.json",), "results/m4/spec.json"),
    SampledResult("mitigation", "baseline", ("results/baseline/metrics.json",), "results/baseline/spec.json"),
    SampledResult("evaluation", "zero-shot", ("results/evaluate",), "results/evaluate.spec.json"),
]


@pytest.fixture
def rebuilt(tmp_path, monkeypatch):
    """Recorded results in the working directory; in the returned folder others, of which M4's differs."""
    monkeypatch.chdir(tmp_path)
    for place, error, model in (("", 0.125, "A"), ("scratch/", 0.25, "B")):
        write_json(f"{place}results/m4/metrics.json", {"error": error})
        write_json(f"{place}results/baseline/metrics.json", {"error": 0.5})
        for name in ("m4", "baseline"):
            write_json(f"{place}results/{name}/spec.json", {"environment": {"processor": {"model": model}}})
    write_json("results/evaluate/on~faces/metrics.json", {"auc": 0.5})
    return tmp_path / "scratch"


def test_one_row_a_file_and_a_reason_only_where_bytes_differ(rebuilt):
    frame = compare_results(SAMPLE, rebuilt).set_index("name")
    assert list(frame["identical"]) == [False, True, False]
    assert list(frame["largest"]) == [0.125, 0.0, 0.0]
    assert list(frame["missing"]) == [False, False, True]
    assert frame.loc["m4", "why"] == "processor: A / B"
    assert frame.loc["baseline", "why"] == ""
    assert frame.loc["zero-shot", "file"] == "on~faces/metrics.json"


def test_the_printed_table_has_a_line_for_each_kind_and_each_reason(rebuilt):
    lines = summary(compare_results(SAMPLE, rebuilt))
    assert [line.split() for line in lines[1:3]] == [
        ["mitigation", "2", "2", "1", "0", "0.125", "1"],
        ["evaluation", "1", "1", "0", "1", "-", "-"],
    ]
    assert lines[3:] == ["differs: processor: A / B", "differs: no record of what made it"]
    assert len(summary(compare_results(SAMPLE[1:2], rebuilt))) == 2


def test_a_difference_without_a_reason_is_said_so(rebuilt):
    write_json(rebuilt / "results/m4/spec.json", {"environment": {"processor": {"model": "A"}}})
    assert summary(compare_results(SAMPLE[:1], rebuilt))[-1].startswith("differs: nothing in the records")


def test_files_that_were_not_recorded_are_not_compared(rebuilt):
    [m4] = SAMPLE[:1]
    with_predictions = replace(m4, files=(*m4.files, "results/m4/predictions.parquet"))
    assert recorded(with_predictions) == m4
    assert recorded(replace(m4, files=("results/none.json",))) is None


def test_without_results_there_is_one_line_and_no_build(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    verify("embedded", tmp_path / "scratch", "1")
    [line] = capsys.readouterr().out.splitlines()
    assert "nothing to compare" in line
    assert "dvc pull" in line
    assert not (tmp_path / "scratch").exists()
