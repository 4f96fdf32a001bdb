"""Training on a simulated GPU: tensors are on one device, and no step waits for the GPU needlessly."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

from clipfair.models import build as build_module
from clipfair.models.blip2 import make_blip2
from clipfair.models.build import build
from clipfair.plan.configuration.methods import VARIANTS
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.objective import FairclipObjective
from clipfair.train.finetuning.batches import GroupedBatches
from clipfair.train.finetuning.epochs import predict_split
from clipfair.train.finetuning.examples import read_splits
from clipfair.train.interfaces import Batch, Process, TrainingParts
from clipfair.train.kinds.blip2 import Blip2Stage1
from clipfair.train.log import TrainingLog
from clipfair.train.loop import LoopSettings, TrainingState, run_loop
from clipfair.train.optimisers import make_optimiser
from clipfair.train.pretraining.contrastive import ContrastiveObjective
from clipfair.train.run import READ_EVERY
from clipfair.train.schedules import make_schedule
from tests.unit.simulated_gpu import GPU, SimulatedGpu
from tests.unit.train.conftest import RECIPE
from tests.unit.train.finetuning_data import LINE, make_table, write_data
from tests.unit.train.finetuning_data import RECIPE as FINETUNING

VIT = {"kind": "vit", "size": 32, "vision": "S/16", "text": "S", "dim": 8, "length": 12}
BLIP2 = {
    "tokens": 1,
    "queries": 3,
    "dim": 5,
    "length": 7,
    "tokenizer": {"kind": "words", "words": "embedded"},
    "qformer": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 16,
    },
}


@pytest.fixture(autouse=True)
def few_layers(monkeypatch):
    monkeypatch.setattr(build_module, "LAYERS", 1)


@pytest.fixture
def gpu():
    with SimulatedGpu() as found:
        yield found


def on_gpu(entry):
    """Return a model whose weights are on the simulated GPU; it prepares images on the CPU, as always."""
    built = build(entry, None, 0)
    with torch.device(GPU):
        return replace(built, model=build(entry, None, 0).model)


def make_blip2_on_gpu():
    tower = build(VIT, None, 0)
    with torch.device(GPU):
        model, tokenizer = make_blip2(BLIP2, build(VIT, None, 0).model.visual)
    return replace(tower, model=model, tokenizer=tokenizer)


def make_pairs(built, n=6):
    pixels = torch.randint(256, (n, 3, built.size, built.size), dtype=torch.uint8)
    texts = built.tokenizer(["a red ball", "a man"] * (n // 2))
    return Batch(built.normalise(pixels), texts, [str(row) for row in range(n)])


def make_contrastive(loss="softmax"):
    bias = -10 if loss == "sigmoid" else None
    return ContrastiveObjective(loss=loss, temperature=10, bias=bias, process=Process(device=GPU))


def train(
    built, objective, batches, *, steps=1, log_every=100, precision="fp32", accumulate=1, optimiser="adamw"
):
    """Run the loop on the simulated GPU."""
    objective.prepare(built.model)
    trained = [(name, value) for name, value in objective.parameters(built.model) if value.requires_grad]
    parts = TrainingParts(batches, objective, batch_size=6, examples=6 * steps)
    parts = replace(parts, checks=getattr(objective, "checks", parts.checks))
    training = TrainingState(
        built.model,
        parts,
        make_optimiser(RECIPE | {"optimiser": optimiser}, trained),
        [value for _, value in trained],
        TrainingLog(log_every, 6),
    )
    settings = LoopSettings(
        steps, accumulate, 0.01, 1.0, "fp32", frozenset(), READ_EVERY["cuda"], failure="not written"
    )
    run_loop(
        training,
        make_schedule(RECIPE | {"warmup": 0}, steps),
        settings,
        process=Process(device=GPU),
        checkpoints=Checkpoints(None, "none", minutes=60),
        save_snapshot=None,
    )
    assert all(isinstance(value.grad, FakeTensor) for _, value in trained if value.grad is not None)
    return training.log


def waits_of_a_step(gpu, built, objective, batch, **options):
    """Return the waits of a step whose values are not read: the first of two."""
    marks = []

    def batches():
        while True:
            marks.append(len(gpu.waits))
            yield batch

    train(built, objective, batches(), steps=2, **options)
    return gpu.waits[marks[0] : marks[1]]


# --- pretraining ---


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize(
    "options", [{}, {"optimiser": "adafactor"}, {"accumulate": 2}], ids=["adamw", "adafactor", "accumulate"]
)
def test_a_step_of_pretraining_waits_for_nothing(gpu, loss, options):
    built = on_gpu(VIT)
    assert waits_of_a_step(gpu, built, make_contrastive(loss), make_pairs(built), **options) == []


def test_values_are_read_every_ten_steps_and_at_the_end_of_a_row(gpu):
    built, marks, reads = on_gpu(LINE), [], []

    def batches():
        while True:
            marks.append(len(gpu.waits))
            yield make_pairs(built)

    log = train(built, make_contrastive(), batches(), steps=13, log_every=4)
    marks.append(len(gpu.waits))
    reads = [step for step in range(1, 14) if marks[step] > marks[step - 1]]
    assert reads == [4, 8, 10, 12, 13]
    # The flags of the checks, then the values, which the GPU has computed by then.
    assert len(gpu.waits) - marks[0] == 2 * len(reads)
    assert [row["step"] for row in log.rows] == [4, 8, 12]


# --- fine-tuning and BLIP2 ---


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    data = write_data(tmp_path_factory.mktemp("world"), make_table())
    built = build(LINE, None, 0)
    return read_splits(FINETUNING, data, built, seed=0, cache=data["cache"])


def make_fairclip(splits, built, switches: Mapping):
    has_groups = switches["distance"] is not None
    groups = list(splits["train"].members("race").values()) if has_groups else []
    fairness = {"lam": 0.1, "weights": {"race": 1.0}} if has_groups else None
    prompts = built.tokenizer(FINETUNING["prompts"])
    attribute_of = ["race"] * len(groups)
    objective = FairclipObjective(switches, fairness, attribute_of, built, DeferredChecks(), prompts=prompts)
    source = GroupedBatches(splits["train"], built, groups, batch_size=16, group_batch_size=8, seed=0)
    return objective, next(iter(source))


def waits_of_fairclip(gpu, splits, variant, **switches):
    built = on_gpu(LINE)
    switches = {**VARIANTS[variant].model_dump(), "precision": "fp32", **switches}
    return waits_of_a_step(gpu, built, *make_fairclip(splits, built, switches))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_of_fairclip_waits_only_for_the_range_of_the_scores(gpu, splits, variant):
    """The range decides how many steps a Sinkhorn divergence has; geomloss reads it for each group."""
    kind = (VARIANTS[variant].model_dump()["distance"] or {}).get("kind")
    waits = waits_of_fairclip(gpu, splits, variant)
    if kind == "geomloss":
        assert len(waits) > 1
        assert all("geomloss.py" in wait for wait in waits)
    else:
        assert len(waits) == (kind == "sinkhorn")
        assert all("sinkhorn.py" in wait for wait in waits)


@pytest.mark.parametrize("conditional", ["none", "label"])
def test_the_decision_margin_waits_for_nothing(gpu, splits, conditional):
    switches = {"score": "margin", "conditional": conditional, "distance": {"kind": "wasserstein", "p": 2}}
    assert waits_of_fairclip(gpu, splits, "a-fairclip", **switches) == []


@pytest.mark.parametrize("variant", ["clip-ft", "mmd-gaussian-released"])
def test_the_checks_of_numbers_of_16_bits_wait_for_nothing(gpu, splits, variant):
    assert waits_of_fairclip(gpu, splits, variant, precision="fp16_roundtrip") == []


@pytest.mark.parametrize("distance", [{"kind": "wasserstein", "p": 2}, {"kind": "energy"}], ids=str)
@pytest.mark.parametrize("scale_free", [False, True])
def test_distances_without_a_range_wait_for_nothing(gpu, splits, distance, scale_free):
    settings = {**distance, "scale_free": scale_free}
    assert waits_of_fairclip(gpu, splits, "a-fairclip", distance=settings) == []


def test_a_step_of_blip2_waits_for_the_draw_of_the_wrong_pairs(gpu):
    built = make_blip2_on_gpu()
    waits = waits_of_a_step(gpu, built, Blip2Stage1(seed=0), make_pairs(built))
    assert len(waits) == 1
    assert "probabilities" in waits[0]


def test_a_split_is_predicted_on_the_gpu(gpu, splits):
    built = on_gpu(LINE)
    prompts = built.tokenizer(FINETUNING["prompts"])
    gpu.waits.clear()
    found = predict_split(built.model, splits["test"], built, prompts, device=GPU)
    assert found.probability.shape == found.score.shape == (40,)
    assert len(gpu.waits) == 2  # the two results


# --- negative controls ---


class Misplaced(ContrastiveObjective):
    """A loss with a tensor that was forgotten on the CPU."""

    def terms(self, model, batch):
        terms = super().terms(model, batch)
        return {"loss": terms["loss"] * torch.arange(2)[1:].sum(dim=0, keepdim=True)}


class Reading(ContrastiveObjective):
    """A loss that is read in every step."""

    def terms(self, model, batch):
        terms = super().terms(model, batch)
        assert float(terms["loss"].detach()) == 1
        return terms


def changed(kind):
    return kind(loss="softmax", temperature=10, bias=None, process=Process(device=GPU))


def test_a_tensor_that_is_left_on_the_cpu_is_an_error(gpu):
    built = on_gpu(VIT)
    with pytest.raises(RuntimeError, match="same device"):
        train(built, changed(Misplaced), iter([make_pairs(built)]))


def test_a_model_that_is_left_on_the_cpu_is_an_error(gpu):
    built = build(LINE, None, 0)
    with pytest.raises(RuntimeError, match="same device"):
        train(built, make_contrastive(), iter([make_pairs(built)]))


def test_a_loss_that_is_read_is_a_wait(gpu):
    built = on_gpu(VIT)
    assert len(waits_of_a_step(gpu, built, changed(Reading), make_pairs(built))) == 1


def test_copies_from_memory_that_is_not_page_locked_are_waits(gpu):
    large = torch.zeros(2**17)
    large.to(GPU, non_blocking=True)
    large.pin_memory().to(GPU)
    assert len(gpu.waits) == 2
    large.pin_memory().to(GPU, non_blocking=True)
    assert len(gpu.waits) == 2
