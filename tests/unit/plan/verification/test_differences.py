"""Two builds of a file: equal bytes, numbers that differ, anything else that differs."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from clipfair.core.io import write_json
from clipfair.plan.verification.differences import Difference, compare, compare_files, reasons


@pytest.fixture
def builds(tmp_path):
    """Two folders: the recorded and the rebuilt results."""
    folders = tmp_path / "recorded", tmp_path / "rebuilt"
    for folder in folders:
        folder.mkdir()
    return folders


def test_weights_differ_by_their_largest_gap_in_the_scale_of_its_tensor(builds):
    weights = [{"a": np.array([100.0, 1.0]), "b": np.array([-4.0, 2.0])} for _ in builds]
    weights[1]["a"][1] += 1.5
    weights[1]["b"][0] += 1.0
    for folder, arrays in zip(builds, weights, strict=True):
        save_file(arrays, folder / "model.safetensors")
    [(name, found)] = compare(*(folder / "model.safetensors" for folder in builds))
    assert name == "model.safetensors"
    assert found == Difference(identical=False, largest=1.5, relative=0.25)


def test_equal_bytes_are_not_read(builds):
    for folder in builds:
        (folder / "broken.parquet").write_bytes(b"no parquet")
    assert compare(*builds) == [("broken.parquet", Difference(identical=True))]


def test_values_of_json_are_compared_by_key_and_digests_left_out(builds):
    for folder, auc, digest in zip(builds, (0.75, 0.7), ("a", "b"), strict=True):
        write_json(
            folder / "metrics.json", {"values": [{"auc": auc, "reason": None}], "model_digest": digest}
        )
    [(_, found)] = compare(*builds)
    assert found.largest == pytest.approx(0.05)
    assert found.relative == pytest.approx(0.05 / 0.75)
    assert not found.other


def test_an_undefined_value_on_one_side_is_no_number(builds):
    for folder, value in zip(builds, (None, 0.5), strict=True):
        write_json(folder / "metrics.json", {"auc": value})
    [(_, found)] = compare(*builds)
    assert (found.largest, found.other) == (0.0, True)


def test_other_rows_and_other_texts(builds):
    frames = [
        pd.DataFrame({"key": ["a", "b"], "p": [0.1, 0.2]}),
        pd.DataFrame({"key": ["a", "c"], "p": [0.1, 0.4]}),
    ]
    for folder, frame in zip(builds, frames, strict=True):
        frame.to_parquet(folder / "scores.parquet")
    [(_, found)] = compare(*builds)
    assert found.largest == pytest.approx(0.2)
    assert found.other
    frames[1].head(1).to_parquet(builds[1] / "scores.parquet")
    [(_, found)] = compare(*builds)
    assert (found.largest, found.other) == (0.0, True)


def test_a_recorded_file_that_was_not_rebuilt_is_missing(builds):
    (builds[0] / "extra").mkdir()
    write_json(builds[0] / "extra" / "metrics.json", {})
    (builds[0] / ".snakemake_timestamp").touch()
    assert compare(*builds) == [("extra/metrics.json", Difference(identical=False, missing=True))]
    assert compare(*reversed(builds)) == []  # scores are not recorded
    assert compare_files(builds[1] / "none", builds[0] / "none").missing


def test_reasons_are_what_differs_between_the_records(builds):
    environment = {
        "processor": {"model": "A"},
        "numerics": "native",
        "packages": {"torch": "2.9", "numpy": "2.4"},
    }
    specs = [
        {"code": "x", "settings": {"seed": 0}, "environment": environment},
        {"code": "x", "settings": {"seed": 0}, "environment": environment | {"processor": {"model": "B"}}},
    ]
    files = [folder / "spec.json" for folder in builds]
    for file, spec in zip(files, specs, strict=True):
        write_json(file, spec)
    assert reasons(*files) == ["processor: A / B"]
    assert reasons(files[0], files[0]) == []
    write_json(
        files[1], specs[1] | {"code": "y", "environment": {"packages": {"torch": "2.10", "numpy": "2.4"}}}
    )
    assert reasons(*files) == [
        "processor: A / not recorded",
        "numerics: native / not recorded",
        "torch: 2.9 / 2.10",
        "code: x / y",
    ]
    assert reasons(files[0], builds[1] / "none.json") == ["no record of what made it"]
