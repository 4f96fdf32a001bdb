import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import load_file

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.train.launch import launch, run_request
from clipfair.train.log import TrainingLog
from clipfair.train.pretraining import contrastive
from clipfair.train.run import READ_EVERY, train
from tests.unit.train.conftest import SIGMOID


def outputs(request):
    """The bytes of all that must not depend on when a run was stopped, and its log less the clock."""
    out = request["out"]
    files = [Path(out["model"]), Path(out["spec"]), *sorted(Path(out["snapshots"]).iterdir())]
    log = pd.read_csv(out["log"]).drop(columns="images_per_second")
    return {file.name: file.read_bytes() for file in files}, log


def assert_same(left, right):
    (files, log), (other_files, other_log) = outputs(left), outputs(right)
    assert files == other_files
    pd.testing.assert_frame_equal(log, other_log, check_exact=True)


def losses(request):
    return pd.read_csv(request["out"]["log"])["loss"].to_numpy()


@pytest.fixture
def stop_at(monkeypatch):
    """Have a signal arrive in the course of a step; each of ``steps`` once."""

    def arrange(*steps, number=signal.SIGTERM):
        waiting = list(steps)
        add = TrainingLog.add

        def add_and_signal(self, step, *rest):
            add(self, step, *rest)
            if step in waiting:
                waiting.remove(step)
                os.kill(os.getpid(), number)

        monkeypatch.setattr(TrainingLog, "add", add_and_signal)

    return arrange


# --- a whole run ---


def test_the_loss_decreases(request_of):
    request = request_of(examples=640, learning_rate=0.01)
    train(**request)
    assert losses(request)[-5:].mean() < losses(request)[:5].mean() - 0.2


def test_a_run_writes_its_files(request_of):
    request = request_of(snapshots=[0.25, 0.5], stages=[("balanced", 0.25), ("baseline", 0.75)])
    train(**request)
    out = request["out"]
    assert {file.name for file in Path(out["snapshots"]).iterdir()} == {"24.safetensors", "48.safetensors"}
    assert load_file(out["model"]).keys() == load_file(Path(out["snapshots"], "24.safetensors")).keys()
    spec = json.loads(Path(out["spec"]).read_text())
    assert spec["examples"] == 96
    assert spec["steps"] == 12
    assert spec["settings"] == request["settings"]
    assert spec["inputs"]["keep0"]["path"] == request["data"]["keep"][0]
    assert [stage["balance"] for stage in spec["data"]["stages"]] == ["balanced", "baseline"]
    assert {"torch", "numpy", "open_clip_torch"} <= spec["environment"]["packages"].keys()
    log = pd.read_csv(out["log"])
    assert log.columns.tolist() == [
        "step", "examples", "loss", "gradient_norm", "learning_rate", "temperature", "images_per_second",
    ]  # fmt: skip
    assert log["step"].tolist() == list(range(1, 13))
    assert Path(out["epochs"]).read_text() == "epoch\n"
    assert not Path(request["scratch"], "checkpoints").exists()


def test_the_schedule_continues_over_the_stages(request_of):
    two, one = request_of("two", stages=[("balanced", 0.5), ("baseline", 0.5)]), request_of("one")
    train(**two)
    train(**one)
    rates = [pd.read_csv(request["out"]["log"])["learning_rate"] for request in (two, one)]
    pd.testing.assert_series_equal(*rates)


def test_the_first_of_two_stages_equals_one_stage_until_the_switch(request_of):
    two, one = (
        request_of("two", stages=[("balanced", 0.5), ("baseline", 0.5)]),
        request_of("one", stages=[("balanced", 1)]),
    )
    train(**two)
    train(**one)
    assert (losses(two)[:6] == losses(one)[:6]).all()
    assert (losses(two)[6:] != losses(one)[6:]).all()


def test_the_same_spec_gives_the_same_bytes_and_another_seed_does_not(request_of):
    first, again, other = request_of("first"), request_of("again"), request_of("other", seed=1)
    for request in (first, again, other):
        train(**request)
    assert_same(first, again)
    assert outputs(first)[0]["model.safetensors"] != outputs(other)[0]["model.safetensors"]


def test_memory_and_shards_give_the_same_losses(request_of):
    memory, shards = request_of("memory"), request_of("shards", in_memory=False, workers=1)
    train(**memory)
    train(**shards)
    assert (losses(memory) == losses(shards)).all()


@pytest.mark.parametrize("method", [None, SIGMOID], ids=["softmax", "sigmoid"])
def test_accumulation_gives_the_same_losses(request_of, method):
    whole, parts = request_of("whole", method=method), request_of("parts", method=method, accumulate=4)
    train(**whole)
    train(**parts)
    assert losses(parts) == pytest.approx(losses(whole), abs=1e-5)


def test_bf16_is_close_to_fp32(request_of):
    full, half = request_of("full"), request_of("half", precision="bf16")
    train(**full)
    train(**half)
    assert losses(half) == pytest.approx(losses(full), abs=0.05)
    assert (losses(half) != losses(full)).any()
    assert all(value.dtype == torch.float32 for value in load_file(half["out"]["model"]).values())


def test_a_loss_of_a_module_of_the_user(request_of, tmp_path, monkeypatch):
    (tmp_path / "losses_of_a_user.py").write_text(
        "from clipfair.train.losses.softmax import loss\n\n\n"
        "def doubled(*features_scale_bias_first):\n    return 2 * loss(*features_scale_bias_first)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"loss": "losses_of_a_user:doubled", "temperature": 10, "bias": None}
    own = request_of("own", learning_rate=0.0, method={"kind": "pretrain", "settings": settings})
    named = request_of("named", learning_rate=0.0)
    train(**own)
    train(**named)
    assert losses(own) == pytest.approx(2 * losses(named))


def test_it_starts_from_weights(request_of):
    first = request_of("first", examples=48)
    train(**first)
    second = request_of("second", learning_rate=0.0, weight_decay=0.0, examples=48) | {
        "weights": first["out"]["model"]
    }
    second["settings"]["method"]["settings"]["temperature"] = None
    train(**second)
    left, right = load_file(first["out"]["model"]), load_file(second["out"]["model"])
    assert all(torch.equal(left[name], right[name]) for name in left)


# --- stopped, killed, damaged checkpoints ---


@pytest.mark.parametrize(
    "recipe",
    [{"optimiser": "adamw", "channels_last": True}, {"optimiser": "adafactor", "accumulate": 2}],
    ids=str,
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=["TERM", "USR1"])
def test_stopped_runs_end_with_the_same_bytes(request_of, stop_at, recipe, number):
    how = recipe | {"snapshots": [0.25, 1], "stages": [("balanced", 0.5), ("baseline", 0.5)]}
    whole, stopped = request_of("whole", **how), request_of("stopped", **how)
    train(**whole)
    steps = sorted(np.random.default_rng(number).choice(np.arange(1, 12), 3, replace=False))
    stop_at(*steps, number=number)
    for step in steps:
        with pytest.raises(
            UserError, match=f"stopped by {number.name} after step {step} of 12; run again to continue"
        ):
            train(**stopped)
        assert not Path(stopped["out"]["model"]).exists()
    train(**stopped)
    assert_same(whole, stopped)


def test_a_signal_in_the_last_step_is_ignored(request_of, stop_at):
    request = request_of()
    stop_at(12)
    train(**request)
    assert Path(request["out"]["model"]).exists()


def test_signal_handlers_are_restored(request_of):
    before = signal.getsignal(signal.SIGTERM)
    train(**request_of())
    assert signal.getsignal(signal.SIGTERM) == before


def test_damaged_checkpoint_ends_with_the_same_bytes(request_of, stop_at):
    whole, damaged = request_of("whole"), request_of("damaged", checkpoint_minutes=0)
    whole["settings"]["recipe"]["checkpoint_minutes"] = 0  # the spec says it, too
    train(**whole)
    stop_at(7)
    with pytest.raises(UserError, match="stopped"):
        train(**damaged)
    newest = max(Path(damaged["scratch"], "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:1000])
    train(**damaged)
    assert_same(whole, damaged)


def test_checkpoint_of_another_spec(request_of, stop_at):
    stop_at(3)
    with pytest.raises(UserError, match="stopped"):
        train(**request_of())
    with pytest.raises(UserError, match="a checkpoint of other settings, data or code"):
        train(**request_of(learning_rate=0.02))


def start(request, folder, **environment):
    write_json(folder / "request.json", request)
    return subprocess.Popen(
        [sys.executable, "-m", "clipfair.train", str(folder / "request.json")],
        env={**os.environ, "PYTHONPATH": str(paths.ROOT / "src"), "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_checkpoints(request, count, process):
    folder = Path(request["scratch"], "checkpoints")
    while len(list(folder.glob("step-*.pt"))) < count and process.poll() is None:
        time.sleep(0.001)


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return str(listener.getsockname()[1])


def test_killed_at_any_moment_it_ends_with_the_same_bytes(request_of, tmp_path):
    """SIGKILL while a checkpoint is written after each step, so that it may hit the writing itself."""
    how = {"examples": 800, "checkpoint_minutes": 0}
    whole, killed = request_of("whole", **how), request_of("killed", **how)
    train(**whole)
    process = start(killed, tmp_path)
    wait_for_checkpoints(killed, 2, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    train(**killed)
    assert_same(whole, killed)


# --- several processes ---


def assert_near(one, other):
    assert losses(other) == pytest.approx(losses(one), abs=1e-5)
    left, right = load_file(one["out"]["model"]), load_file(other["out"]["model"])
    for name, value in left.items():
        assert torch.allclose(value, right[name], atol=1e-5), name


def test_two_processes_equal_one(request_of):
    one, two = request_of("one"), request_of("two")
    train(**one)
    launch(2, two)
    assert_near(one, two)
    assert json.loads(Path(two["out"]["spec"]).read_text())["hardware"]["processes"] == 2


def test_two_stopped_processes_are_continued_by_one(request_of, tmp_path):
    """The sigmoid loss, without torchrun; process 1 is sent the signal, both stop after the same step."""
    how = {
        "method": SIGMOID,
        "accumulate": 2,
        "examples": 640,
        "checkpoint_minutes": 0,
        "learning_rate": 0.0003,
    }
    one, two = request_of("one", **how), request_of("two", **how)
    train(**one)
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": free_port()}
    processes = [start(two, tmp_path, RANK=str(rank), **place) for rank in range(2)]
    wait_for_checkpoints(two, 1, processes[0])
    processes[1].send_signal(signal.SIGUSR1)
    errors = [process.communicate(timeout=120)[1] for process in processes]
    for error in errors:
        assert re.search(
            r"clipfair: stopped by .* after step \d0 of 80; run again to continue from this step", error
        )
    train(**two)
    assert_near(one, two)


def test_an_error_of_one_process_is_the_error_of_all(request_of, tmp_path, monkeypatch):
    request = request_of()
    torchrun = tmp_path / "torchrun"
    torchrun.write_text(
        f"#!/bin/sh\necho -n 'what a process said' > {request['scratch']}/error.txt\nexit 1\n"
    )
    torchrun.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(torchrun))
    with pytest.raises(UserError, match=r"^what a process said$"):
        launch(2, request)


def test_a_process_writes_the_message_of_its_error(request_of, tmp_path):
    request = request_of(batch_size=7, accumulate=2)
    write_json(tmp_path / "request.json", request)
    with pytest.raises(UserError, match="a batch of 7 cannot be divided into 1 processes x 2 parts"):
        run_request(str(tmp_path / "request.json"))
    assert "cannot be divided" in (tmp_path / "error.txt").read_text()


# --- what is wrong ---


def test_not_a_finite_loss(request_of):
    request = request_of(learning_rate=1e30, clip=None, warmup=0)
    with pytest.raises(
        UserError, match=r"step \d+: not a finite number \(loss nan, gradient_norm nan\); the keys of"
    ):
        train(**request)
    failure = json.loads(Path(request["scratch"], "checkpoints/failure-0.json").read_text())
    assert failure["step"] > 1
    assert len(failure["keys"]) == 8
    assert failure["terms"]["loss"] == "nan"
    assert not Path(request["out"]["model"]).exists()


def test_full_disk_at_the_end_is_reported_and_nothing_is_half_written(request_of, monkeypatch):
    request = request_of()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr("clipfair.train.outputs.save_weights", full)
    with pytest.raises(OSError, match="No space left"):
        train(**request)
    assert not Path(request["out"]["model"]).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gpus": 99}, r"recipes\.yaml: gpus is 99, but this machine has \d+; lower gpus"),
        ({"optimiser": "sgd"}, "unknown optimiser 'sgd'"),
        ({"schedule": "step"}, "unknown schedule 'step'"),
        ({"precision": "fp8"}, "unknown precision 'fp8'"),
        ({"batch_size": 64}, "condition 'baseline' has 60 examples, fewer than a batch of 64"),
        ({"examples": 4}, "4 examples are fewer than a batch of 8"),
    ],
)
def test_bad_recipes(request_of, change, message):
    with pytest.raises(UserError, match=message):
        train(**request_of(**change))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "huge"}, "config.models: unknown kind 'huge'; known: .*open_clip, siglip, small, vit"),
        ({"words": "none"}, "tokenizer: no word list 'none'; known: embedded"),
    ],
)
def test_bad_models(request_of, model, message):
    with pytest.raises(UserError, match=message):
        train(**request_of(model=model))


def test_bad_methods(request_of):
    with pytest.raises(UserError, match=r"methods\.yaml: unknown kind 'pretrian'"):
        train(**request_of(method={"kind": "pretrian", "settings": {}}))


def test_weights_of_another_model(request_of, tmp_path):
    first = request_of("first")
    train(**first)
    request = request_of("second", model={"width": 8}) | {"weights": first["out"]["model"]}
    with pytest.raises(UserError, match=r"model\.safetensors: not the weights of this model"):
        train(**request)


# --- reads of the values ---


def test_the_log_does_not_depend_on_how_often_the_values_are_read(request_of, monkeypatch):
    """As on a GPU: the values of up to ten steps are read together."""
    every_step, together = (request_of(name, examples=8 * 230, snapshots=[0.4]) for name in ("one", "ten"))
    train(**every_step)
    monkeypatch.setitem(READ_EVERY, "cpu", READ_EVERY["cuda"])
    train(**together)
    assert_same(every_step, together)


def test_a_loss_that_is_not_finite_stops_the_training_at_the_next_read(request_of, monkeypatch):
    """The message and the file name the step of the loss, not that of the read."""
    monkeypatch.setitem(READ_EVERY, "cpu", READ_EVERY["cuda"])
    request, steps = request_of(examples=8 * 300), []
    embed_batch = contrastive.embed

    def embed_and_count(model, batch):
        steps.append(batch.keys)
        images, texts = embed_batch(model, batch)
        return (images * torch.nan if len(steps) == 14 else images), texts

    monkeypatch.setattr(contrastive, "embed", embed_and_count)
    with pytest.raises(
        UserError, match=r"step 14: not a finite number \(loss nan, gradient_norm nan\); the keys"
    ):
        train(**request)
    assert len(steps) == 15  # a row of the log has three steps
    failure = json.loads(Path(request["scratch"], paths.FAILURE.format(rank=0)).read_text())
    assert (failure["step"], failure["keys"]) == (14, steps[13])
    assert not Path(request["out"]["model"]).exists()


# --- options of a recipe that change the speed ---


def gap(left, right):
    """The largest difference of two models' weights."""
    one, other = (load_file(request["out"]["model"]) for request in (left, right))
    return max((one[name] - other[name]).abs().max().item() for name in one)


def test_channels_last_changes_no_result_beyond_rounding(request_of):
    """The tolerance of docs/training.md."""
    plain, last = request_of("plain"), request_of("last", channels_last=True)
    train(**plain)
    train(**last)
    np.testing.assert_allclose(losses(last), losses(plain), rtol=1e-5)
    assert gap(plain, last) < 1e-4


VISIONS = {
    "vit": CLIPVisionCfg(layers=1, width=16, head_width=8, patch_size=8, image_size=32),
    "resnet": CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32),
}


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS)
def test_channels_last_gives_the_embeddings_of_both_kinds_of_towers(vision):
    torch.manual_seed(0)
    model = CLIP(8, vision, CLIPTextCfg(context_length=8, vocab_size=20, width=16, heads=2, layers=1))
    images = torch.randn(4, 3, 32, 32)
    expected = model.encode_image(images)
    model.to(memory_format=torch.channels_last)
    assert model.state_dict()["visual.conv1.weight"].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(model.encode_image(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # raised in torch's compiler
def test_compiled_towers_change_no_result_beyond_rounding(request_of, monkeypatch):
    """The compiler's backend is replaced by one that needs no C compiler; the graph is the same."""
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    compile_function = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **_: compile_function(model, backend=backend))
    plain, fused = request_of("plain"), request_of("fused", compile=True)
    train(**plain)
    train(**fused)
    assert len(compiled) >= 2
    np.testing.assert_allclose(losses(fused), losses(plain), rtol=1e-5)
    assert gap(plain, fused) < 1e-4
