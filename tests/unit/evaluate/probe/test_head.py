import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.evaluate.probe import head as head_module
from clipfair.evaluate.probe.head import (
    LabelledFeatures,
    ProbeSettings,
    fit_probe,
    learning_rate,
    make_head,
    make_optimiser,
    read_probe_settings,
)

SHORT = ProbeSettings(epochs=20, batch_size=32, warm_up=2, every=5)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def made(n=200, width=6, seed=0, strength=1.0):
    drawn = generator(seed)
    features = torch.randn(n, width, generator=drawn)
    labels = (strength * features[:, 0] + torch.randn(n, generator=drawn) > 0).numpy().astype(int)
    return LabelledFeatures(features, labels)


def fit(training, validation, test, settings=SHORT, seed=0):
    return fit_probe(
        lambda rows: training.features[rows],
        training.labels,
        validation=validation,
        test=test,
        settings=settings,
        generator=generator(seed),
    )


def make_layer(weight, bias):
    layer = torch.nn.Linear(2, 1)
    layer.weight.data, layer.bias.data = torch.tensor([weight]), torch.tensor([bias])
    return layer


def step(layer, optimiser, weight, bias):
    """One step with the given gradients."""
    layer.weight.grad, layer.bias.grad = torch.tensor([weight]), torch.tensor([bias])
    optimiser.step()
    return layer.weight.tolist()[0], layer.bias.item()


def test_lars_adapts_the_step_to_the_weight_and_leaves_the_bias_to_momentum():
    layer = make_layer([3.0, 4.0], 1.0)
    optimiser = make_optimiser(layer, ProbeSettings(momentum=0.9, trust=0.1))
    for group in optimiser.param_groups:
        group["lr"] = 0.5
    # |w| = 5 and |g| = 2: d = 0.1 * 5 / 2 * g = (0.5, 0), v = d, w = (3 - 0.25, 4). The bias: v = g = 2.
    weight, bias = step(layer, optimiser, [2.0, 0.0], 2.0)
    assert weight == pytest.approx([2.75, 4.0])
    assert bias == 0.0
    # d = 0.1 |w| (0, 1) / 1, v = 0.9 (0.5, 0) + d; the bias: v = 0.9 * 2 + 0.
    weight, bias = step(layer, optimiser, [0.0, 1.0], 0.0)
    assert weight == pytest.approx([2.75 - 0.5 * 0.45, 4 - 0.5 * 0.1 * math.hypot(2.75, 4)])
    assert bias == pytest.approx(-0.9)


def test_lars_decays_the_weight_alone_and_does_not_scale_a_weight_of_zero():
    layer = make_layer([2.0, 0.0], 4.0)
    optimiser = make_optimiser(layer, ProbeSettings(momentum=0.0, trust=0.5, weight_decay=0.5))
    for group in optimiser.param_groups:
        group["lr"] = 1.0
    # d = (0, 1) + 0.5 (2, 0) = (1, 1), scaled by 0.5 * 2 / (1 + 0.5 * 2).
    weight, bias = step(layer, optimiser, [0.0, 1.0], 1.0)
    assert weight == pytest.approx([1.5, -0.5])
    assert bias == 3.0
    layer.weight.data.zero_()
    weight, _ = step(layer, optimiser, [3.0, 0.0], 0.0)
    assert weight == [-3.0, 0.0]


def test_settings_of_the_probe_are_those_of_the_evaluation_or_defaults():
    found = read_probe_settings({"kind": "linear_probe", "epochs": 7, "label": "glaucoma"})
    assert found == ProbeSettings(epochs=7)


def test_the_rate_warms_up_and_falls_as_half_a_cosine():
    settings = ProbeSettings()
    assert learning_rate(0, settings) == 0
    assert learning_rate(5, settings) == pytest.approx(0.1)  # half of 0.1 * 512 / 256
    assert learning_rate(10, settings) == pytest.approx(0.2)
    assert learning_rate(10 + 490 / 2, settings) == pytest.approx(0.1)
    assert learning_rate(500, settings) == pytest.approx(0, abs=1e-12)


def test_the_head_is_as_described():
    head = make_head(1000, generator())
    norm, linear = head
    assert norm.eps == 1e-6
    assert not list(norm.parameters())
    assert linear.weight.shape == (2, 1000)
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert linear.bias.tolist() == [0, 0]


def test_one_epoch_step_by_step():
    """Two full batches of one order: batch norm, loss of logit[1] alone, the rate at each step."""
    training = made(n=9, width=3)
    settings = ProbeSettings(epochs=2, batch_size=4, warm_up=1, every=1, base_rate=3.0)
    found = fit(training, training, training, settings)
    drawn = generator()
    linear = make_head(3, drawn)[1]
    order = torch.randperm(9, generator=drawn)
    weight, bias = linear.weight.detach().clone(), linear.bias.detach().clone()
    velocity, velocity_bias = torch.zeros_like(weight), torch.zeros_like(bias)
    mean, variance = torch.zeros(3), torch.ones(3)
    losses = []
    for step in range(2):
        rows = order[4 * step : 4 * step + 4]
        x, y = training.features[rows], torch.tensor(training.labels)[rows].float()
        mean = 0.9 * mean + 0.1 * x.mean(0)
        variance = 0.9 * variance + 0.1 * x.var(0)
        z = (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + 1e-6)
        p = torch.sigmoid(z @ weight[1] + bias[1])
        losses.append(functional.binary_cross_entropy(p, y).item())
        gradient, gradient_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        gradient[1], gradient_bias[1] = (p - y) @ z / 4, (p - y).mean()
        rate = 3.0 * 4 / 256 * step / 2
        velocity = 0.9 * velocity + 0.001 * weight.norm() / gradient.norm() * gradient
        velocity_bias = 0.9 * velocity_bias + gradient_bias
        weight, bias = weight - rate * velocity, bias - rate * velocity_bias
    z = (training.features - mean) / torch.sqrt(variance + 1e-6)
    expected = roc_auc_score(training.labels, torch.sigmoid(z @ weight[1] + bias[1]))
    assert found.log[0]["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found.log[0]["test_auc"] == pytest.approx(expected)


def test_it_finds_the_feature_that_decides():
    settings = ProbeSettings(epochs=20, batch_size=32, warm_up=2, every=5, base_rate=10.0)
    found = fit(made(2000, strength=5), made(seed=1, strength=5), made(seed=2, strength=5), settings)
    assert roc_auc_score(made(seed=2, strength=5).labels, found.p) > 0.9


def test_the_test_predictions_are_those_of_the_best_validation(monkeypatch):
    # Validation labels of the opposite sign: the validation AUC falls during training.
    training, validation, test = made(), made(seed=1, strength=-1), made(seed=2)
    found = fit(training, validation, test)
    assert [entry["epoch"] for entry in found.log] == [5, 10, 15, 20]
    best = max(found.log, key=lambda entry: entry["validation_auc"])
    assert best["epoch"] < 20
    assert roc_auc_score(test.labels, found.p) == pytest.approx(best["test_auc"])
    # A training that ends at the best epoch, at the same rates, ends with the same predictions.
    monkeypatch.setattr(head_module, "learning_rate", lambda epoch, _: learning_rate(epoch, SHORT))
    ended = fit(training, validation, test, replace(SHORT, epochs=best["epoch"]))
    assert (ended.p == found.p).all()


def test_the_last_epoch_is_validated_too():
    settings = ProbeSettings(epochs=7, batch_size=32, warm_up=2, every=5)
    assert [entry["epoch"] for entry in fit(made(), made(seed=1), made(seed=2), settings).log] == [5, 7]


def test_the_same_seed_gives_the_same_bytes():
    parts = made(), made(seed=1), made(seed=2)
    assert (fit(*parts).p == fit(*parts).p).all()
    assert (fit(*parts).p != fit(*parts, seed=1).p).any()


@pytest.mark.parametrize("reshuffle", [False, True])
def test_one_order_for_all_epochs_unless_reshuffled(reshuffle):
    used = []
    training = made(64)

    def features(rows):
        used.append(rows.tolist())
        return training.features[rows]

    settings = ProbeSettings(epochs=3, batch_size=32, warm_up=1, every=1, reshuffle=reshuffle)
    part = made(seed=1)
    fit_probe(features, training.labels, validation=part, test=part, settings=settings, generator=generator())
    assert (used[:2] == used[2:4]) is not reshuffle
    assert sorted(used[0] + used[1]) == list(range(64))


def test_what_cannot_be_fitted_is_an_error():
    part = made(seed=1)
    with pytest.raises(UserError, match="20 training examples are less than one batch of 32"):
        fit(made(20), part, part)
    with pytest.raises(UserError, match="a warm-up of 20 epochs leaves none of 20"):
        fit(made(), part, part, ProbeSettings(epochs=20, batch_size=32, warm_up=20))
    with pytest.raises(UserError, match="the validation labels are all equal"):
        fit(made(), LabelledFeatures(part.features, np.zeros(200, int)), part)
