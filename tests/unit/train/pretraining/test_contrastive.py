import copy

import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.train.interfaces import Batch, Process
from clipfair.train.pretraining.contrastive import ContrastiveObjective
from tests.unit.train.conftest import WORDS


def objective_of(loss="softmax"):
    return ContrastiveObjective(
        loss=loss, temperature=10, bias=-10 if loss == "sigmoid" else None, process=Process()
    )


def batch_of(built, n=12):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, 32, 32, generator=generator)
    texts = built.tokenizer([" ".join(WORDS[: 1 + i % len(WORDS)]) for i in range(n)])
    return Batch(images, texts, [str(i) for i in range(n)])


def part(batch, rows):
    return Batch(batch.images[rows], batch.texts[rows], batch.keys[rows])


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_accumulated_gradients_equal_those_of_the_whole_batch(built, loss):
    objective = objective_of(loss)
    objective.prepare(built.model)
    batch = batch_of(built)
    whole = copy.deepcopy(built.model)
    terms = objective.terms(whole, batch)
    terms["loss"].backward()

    batches = [part(batch, slice(start, start + 4)) for start in (0, 4, 8)]
    in_parts, cached = objective.cache_gradients(built.model, batches)
    for one, gradients in zip(batches, cached, strict=True):
        objective.surrogate_loss(built.model, one, gradients).backward()

    assert float(in_parts["loss"]) == pytest.approx(terms["loss"].item(), rel=1e-6)
    for (name, left), right in zip(whole.named_parameters(), built.model.parameters(), strict=True):
        assert torch.allclose(left.grad, right.grad, rtol=1e-4, atol=1e-6), name


def test_losses_of_separate_parts_would_have_another_gradient(built):
    objective = objective_of()
    objective.prepare(built.model)
    batch = batch_of(built)
    whole = objective.terms(built.model, batch)["loss"].item()
    halves = [
        objective.terms(built.model, part(batch, rows))["loss"].item() for rows in (slice(6), slice(6, 12))
    ]
    assert whole > sum(halves) / 2 + 0.1  # fewer others to tell apart


def test_prepare_sets_temperature_and_bias(built):
    objective_of("sigmoid").prepare(built.model)
    assert built.model.logit_scale.exp().item() == pytest.approx(10)
    assert built.model.logit_bias.item() == -10
    assert "logit_bias" in built.model.state_dict()


def test_temperature_of_the_model_is_kept(built):
    before = built.model.logit_scale.item()
    ContrastiveObjective(loss="softmax", temperature=None, bias=None, process=Process()).prepare(built.model)
    assert built.model.logit_scale.item() == before


@pytest.mark.parametrize(
    ("loss", "bias", "message"),
    [
        ("hinge", None, "methods.yaml: unknown loss 'hinge'; known: sigmoid, softmax"),
        ("softmax", -10, "loss 'softmax': sigmoid needs a bias, softmax takes none"),
        ("sigmoid", None, "loss 'sigmoid': sigmoid needs a bias, softmax takes none"),
    ],
)
def test_bad_settings(loss, bias, message):
    with pytest.raises(UserError, match=message):
        ContrastiveObjective(loss=loss, temperature=10, bias=bias, process=Process())
