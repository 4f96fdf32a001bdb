from types import SimpleNamespace

import pytest

from clipfair.plan.snakemake.resources import CONSTRAINT, GPU_PARTITION, PARTITION, gpu_site, per_attempt


@pytest.fixture(autouse=True)
def no_site(monkeypatch):
    for name in (PARTITION, GPU_PARTITION, CONSTRAINT):
        monkeypatch.delenv(name, raising=False)


def placed(gpus):
    """The values for a job with this number of GPUs."""
    site = gpu_site(lambda wildcards: wildcards.gpus)
    return {name: value(SimpleNamespace(gpus=gpus)) for name, value in site.items()}


def test_an_amount_grows_with_the_attempt():
    assert [per_attempt(400)(None, attempt) for attempt in (1, 2, 3)] == [400, 800, 1200]


def test_a_site_that_names_nothing_asks_for_nothing(monkeypatch):
    assert placed(1) == {}
    monkeypatch.setenv(GPU_PARTITION, "")
    assert placed(1) == {}


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        (8, {"slurm_partition": "gpu", "constraint": "a100"}),
        (0, {"slurm_partition": "cpu", "constraint": None}),
    ],
)
def test_only_jobs_with_gpus_go_to_gpu_nodes(monkeypatch, gpus, expected):
    for name, value in ((PARTITION, "cpu"), (GPU_PARTITION, "gpu"), (CONSTRAINT, "a100")):
        monkeypatch.setenv(name, value)
    assert placed(gpus) == expected


def test_without_a_partition_of_their_own_jobs_without_a_gpu_have_none(monkeypatch):
    monkeypatch.setenv(GPU_PARTITION, "gpu")
    assert placed(0) == {"slurm_partition": None}
