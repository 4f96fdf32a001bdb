"""Several trainings in one process, and the arguments of python -m clipfair.train."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.train.launch import launch_each, requests_by_seed, run_request
from clipfair.train.log import TrainingLog
from tests.unit.train.finetuning_data import make_settings, make_table, outputs, write_data


@pytest.fixture
def finetuning_of(tmp_path):
    """A request of a fine-tuning with a fairness loss."""

    def make(name, *, seed):
        settings = make_settings({"variant": "fairclip-corrected"}, attr="race", lam="0.1", seed=seed)
        data = write_data(tmp_path / "data", make_table())
        scratch, out = str(tmp_path / f"scratch-{name}"), outputs(tmp_path / name)
        shared = {"data": data, "weights": None, "code": "digest", "threads": 1}
        return {"settings": settings, "out": out, "scratch": scratch, **shared}

    return make


@pytest.fixture(params=["request_of", "finetuning_of"])
def training_of(request):
    """A pretraining and a fine-tuning."""
    return request.getfixturevalue(request.param)


def content(request):
    """The bytes of all files of a training, without the clock in its log."""
    out = {name: Path(path) for name, path in request["out"].items()}
    log = [row.rsplit(",", 1)[0] for row in out["log"].read_text().splitlines()]
    return [out[name].read_bytes() for name in ("model", "spec", "epochs")], log


def train_alone(request, folder):
    """Train in a process of its own."""
    write_json(folder / "request.json", request)
    command = [sys.executable, "-m", "clipfair.train", str(folder / "request.json")]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True)


def test_a_model_does_not_depend_on_those_that_share_its_process(training_of, tmp_path):
    together = [training_of(f"together-{seed}", seed=seed) for seed in (4, 0, 1)]
    launch_each(1, together)
    alone = training_of("alone", seed=1)
    train_alone(alone, tmp_path)
    assert content(together[2]) == content(alone)
    assert not any(Path(request["scratch"], paths.CHECKPOINTS).exists() for request in together)


def test_seeds_of_a_job_read_data_of_their_own():
    requests = requests_by_seed(
        [{"run": {"seed": seed}} for seed in (0, 1)],
        data=[{"raw": "draw-0"}, {"raw": "draw-1"}],
        weights=["start-0", "start-1"],
        outputs={"model": ["model-0", "model-1"], "log": ["log-0", "log-1"]},
        scratch=["scratch-0", "scratch-1"],
        shared={"threads": 2},
    )
    assert requests[1] == {
        "settings": {"run": {"seed": 1}},
        "data": {"raw": "draw-1"},
        "weights": "start-1",
        "out": {"model": "model-1", "log": "log-1"},
        "scratch": "scratch-1",
        "threads": 2,
    }
    assert requests[0]["data"] == {"raw": "draw-0"}


def test_after_a_failure_finished_models_are_written_again_from_their_checkpoints(training_of, monkeypatch):
    requests = [training_of(f"seed-{seed}", seed=seed) for seed in range(2)]
    broken = {**requests[1], "weights": "missing.safetensors"}
    with pytest.raises((UserError, OSError), match="missing"):
        launch_each(1, [requests[0], broken])
    finished = content(requests[0])
    shutil.rmtree(Path(requests[0]["out"]["model"]).parent)  # as Snakemake does
    steps = []
    add = TrainingLog.add
    monkeypatch.setattr(
        TrainingLog, "add", lambda log, step, *rest: steps.append(step) or add(log, step, *rest)
    )
    launch_each(1, requests)
    assert content(requests[0]) == finished
    assert steps == list(range(1, len(steps) + 1))  # those of the second model alone


def test_a_request_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"request\.json: no such file; give a JSON file"):
        run_request(tmp_path / "request.json")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "missing a required argument: 'settings'"),
        ({"setings": {}}, "missing a required"),
        ([], "mapping"),
    ],
)
def test_a_request_that_is_none(tmp_path, request_, message):
    write_json(tmp_path / "request.json", request_)
    with pytest.raises(UserError, match=message):
        run_request(tmp_path / "request.json")
