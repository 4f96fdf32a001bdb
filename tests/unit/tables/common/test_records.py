"""Reading evaluations: every value in a fixed order; missing and damaged files are named."""

import json

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.tables.common.records import COLUMNS, check_complete, missing_runs, read_records

RUN = Run(dataset="web", balance="balanced", model="tiny", method="clip", seed=0)
ROW = {"examples": 100, "metric": "accuracy", "label": None, "group": None}
ROW |= {"value": 0.5, "n": 10, "low": 0.4, "high": 0.6, "reason": None}
UNDEFINED = ROW | {"label": "nurse", "group": "man", "value": None, "n": 0, "reason": "no man"}
UNDEFINED |= {"low": None, "high": None}


def write(root, run, evaluation="objects", rows=(ROW,)):
    levels = dict(part.split("~") for part in run.key.split("/"))
    record = {"run": levels | {"seed": run.seed}, "evaluation": evaluation, "kind": "zero_shot"}
    record |= {"dataset": "cifar", "split": "test", "model_digest": "a", "data_digest": "b"}
    path = root / run.key / f"on~{evaluation}" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record | {"rows": list(rows)}))
    return path


def grid(**entries):
    lists = {"balances": ["balanced"], "models": ["tiny"], "methods": ["clip"], "attrs": ["none"]}
    lists |= {"lams": ["0"], "recipe": "short", "seeds": [0], "evaluations": ["objects"]}
    return {"dataset": "web", **lists, **entries}


def test_every_value_is_read_with_its_run_and_evaluation(tmp_path):
    write(tmp_path, RUN, rows=[ROW, UNDEFINED])
    frame = read_records([str(tmp_path / RUN.batch)])
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 2
    first, second = frame.to_dict("records")
    given = {"dataset": "web", "balance": "balanced", "model": "tiny", "seed": 0, "on": "cifar", "lam": "0"}
    given |= {"split": "test", "examples": 100, "value": 0.5, "n": 10, "low": 0.4, "high": 0.6}
    assert {name: first[name] for name in given} == given
    assert frame["label"].isna().tolist() == [True, False]
    assert (second["label"], second["group"], second["n"]) == ("nurse", "man", 0)
    assert np.isnan([second["value"], second["low"], second["high"]]).all()


def test_the_order_is_that_of_folders_then_seeds_as_numbers_then_evaluations(tmp_path):
    for seed in (10, 9):
        for evaluation in ("pets", "objects"):
            write(tmp_path, Run(**{**RUN.__dict__, "seed": seed}), evaluation)
    frame = read_records([str(tmp_path / RUN.batch)])
    assert list(zip(frame["seed"], frame["evaluation"], strict=True)) == [
        (9, "objects"),
        (9, "pets"),
        (10, "objects"),
        (10, "pets"),
    ]


def test_a_folder_without_evaluations_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no evaluation there.*snakemake --cores 2 .*nowhere$"):
        read_records([str(tmp_path / "nowhere")])
    with pytest.raises(UserError, match=r"snakemake --cores 2 --config study=lab -- results/evaluate/lab/x$"):
        read_records(["results/evaluate/lab/x"])


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run": {}}'])
def test_a_damaged_file_is_named(tmp_path, text):
    path = write(tmp_path, RUN)
    path.write_text(text)
    with pytest.raises(UserError, match=r"metrics.json: cannot be read as an evaluation .*evaluate it again"):
        read_records([str(tmp_path / RUN.batch)])


def test_expected_but_absent_evaluations_are_missing(tmp_path):
    write(tmp_path, RUN)
    records = read_records([str(tmp_path / RUN.batch)])
    settings = {"table": "m4/table1", "study": "embedded", "grids": {"one": grid(seeds=[0, 1])}}
    key = Run(**{**RUN.__dict__, "seed": 1}).key
    assert missing_runs(records, settings, ["objects"]) == [f"{key}/on~objects"]
    assert missing_runs(records, settings, ["pets"]) == []
    with pytest.raises(UserError, match=f"m4/table1: no evaluation of {key}/on~objects; .*m4/table1.csv$"):
        check_complete(records, settings, ["objects"])
    check_complete(records, {**settings, "grids": {"one": grid()}}, ["objects"])


def test_runs_of_two_grids_are_missing_once(tmp_path):
    write(tmp_path, RUN)
    records = read_records([str(tmp_path / RUN.batch)])
    grids = {"one": grid(seeds=[1]), "two": grid(seeds=[1, 2])}
    settings = {"table": "m4/table1", "study": "embedded", "grids": grids}
    assert len(missing_runs(records, settings, ["objects"])) == 2
    with pytest.raises(UserError, match="and 1 more; make the missing ones"):
        check_complete(records, settings, ["objects"])
