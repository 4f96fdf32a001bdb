import contextlib
import multiprocessing
import os
import time

import pytest

from clipfair.core import gpus
from clipfair.core.gpus import reserve_gpus


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    monkeypatch.setattr(gpus, "LOCKS", tmp_path)
    monkeypatch.setattr(gpus, "WAIT", 0.02)
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def reserve(count, queue, seconds):
    with reserve_gpus(count):
        queue.put((time.monotonic(), os.environ.get("CUDA_VISIBLE_DEVICES")))
        time.sleep(seconds)
    queue.put((time.monotonic(), None))


def test_each_job_has_its_own_gpu_and_a_third_waits(two_gpus):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    jobs = [context.Process(target=reserve, args=(1, queue, 0.5)) for _ in range(3)]
    for job in jobs:
        job.start()
    events = sorted(queue.get(timeout=30) for _ in range(6))
    for job in jobs:
        job.join()
    assert sorted(gpu for _, gpu in events[:2]) == ["0", "1"]
    assert [gpu for _, gpu in events].index(None) == 2
    for _, gpu in events[3:]:
        assert gpu in (None, "0", "1")


def test_a_job_for_both_gpus_has_both(two_gpus):
    with reserve_gpus(2):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_the_user_chooses_from_which_gpus(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with reserve_gpus(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("chosen", "first"), [("0, 1", "0"), (" 1", "1"), ("MIG-GPU-1a/2/0", "MIG-GPU-1a/2/0"), ("1,1", "1")]
)
def test_any_spelling_of_a_gpu_is_reserved_once(two_gpus, monkeypatch, chosen, first):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    with reserve_gpus(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == first
        assert gpus._lock_free([first], 1, contextlib.ExitStack()) == []


@pytest.mark.parametrize("chosen", ["", "-1", "-1,0"])
def test_no_gpu_is_reserved_where_the_user_hides_all(two_gpus, monkeypatch, chosen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    with reserve_gpus(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen


@pytest.mark.parametrize(("count", "slurm"), [(0, None), (3, None), (1, "7")])
def test_nothing_is_reserved_without_need_or_under_slurm(two_gpus, monkeypatch, count, slurm):
    if slurm:
        monkeypatch.setenv("SLURM_JOB_ID", slurm)
    with reserve_gpus(count):
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
