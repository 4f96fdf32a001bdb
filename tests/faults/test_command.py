"""Bad arguments and tables (``command.yaml``) of ``python -m clipfair.balance``."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from clipfair.balance.__main__ import main

FAULTS = yaml.safe_load(Path(__file__).with_name("command.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    n = 1200
    people = pd.DataFrame(
        {
            "key": [f"p{index}" for index in range(n)],
            "sex": np.resize(["female", "male", "male"], n),
            "job": np.resize(["chef", "nurse"], n),
            "age": np.arange(n) % 90 / 3,
            "rich": np.resize([0, 1, 1, 0], n),
            "pay": np.arange(n),
            "same": "yes",
            "gap": np.resize(["a", "b"], n),
        }
    )
    people.loc[3, "gap"] = None
    people.to_csv("people-table.csv", index=False)
    people.head(0).to_csv("head.csv", index=False)
    people.to_parquet("whole.parquet")
    Path("cut.parquet").write_bytes(Path("whole.parquet").read_bytes()[:500])
    Path("people.xlsx").write_text("x")
    Path("whole.json").write_text("null")
    Path("folder.csv").mkdir()
    Path("empty.csv").touch()
    Path("ragged.csv").write_text("key,sex\na,male\nb,female,1,2\n")
    return tmp_path


def written(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["fault"])
def test_a_bad_argument_or_table_is_one_line_and_nothing_is_written(folder, capsys, fault):
    before = written(folder)
    arguments = fault["arguments"].format(table="people-table.csv").split()
    if "--out" not in arguments:
        arguments += ["--out", "balanced"]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code in (1, 2)
    assert fault["message"] in capsys.readouterr().err.splitlines()[-1]
    assert written(folder) == before
