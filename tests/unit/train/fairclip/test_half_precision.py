"""Rounding to 16 bits against open_clip's conversion; overflows are reported with their cause."""

import open_clip
import pytest
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg, convert_weights_to_lp
from torch import nn

from clipfair.core.errors import UserError
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.half_precision import GradientRounding, half_parameters, round_weights, to_half


def make_clip(vision):
    torch.manual_seed(0)
    text = CLIPTextCfg(context_length=8, vocab_size=20, width=16, heads=2, layers=1)
    return open_clip.CLIP(8, vision, text)


VISIONS = {
    "vit": CLIPVisionCfg(layers=1, width=16, head_width=8, patch_size=8, image_size=16),
    "resnet": CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32),
}


@pytest.mark.parametrize("vision", VISIONS.values(), ids=VISIONS)
def test_the_16_bit_weights_are_those_that_open_clip_converts(vision):
    ours, theirs = make_clip(vision), make_clip(vision)
    convert_weights_to_lp(theirs, torch.float16)
    names = {name for name, parameter in theirs.named_parameters() if parameter.dtype == torch.float16}
    assert {name for name, _ in half_parameters(ours)} == names
    round_weights(ours, DeferredChecks())
    for (name, here), there in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert here.dtype == torch.float32, name
        assert torch.equal(here, there.float()), name


def test_an_update_of_less_than_half_a_step_is_lost():
    """Between 1/32 and 1/16 16-bit numbers are 2^-15 apart: a step of 1e-5 rounds away."""
    layer = nn.Linear(2, 2, bias=False)
    nn.init.constant_(layer.weight, 0.05)
    round_weights(layer, DeferredChecks())
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight -= 1e-5
    round_weights(layer, DeferredChecks())
    assert torch.equal(layer.weight, before)


def test_scores_and_their_gradients_are_rounded():
    scores = torch.tensor([0.1, 2049.0], requires_grad=True)
    checks = DeferredChecks()
    rounded = to_half(scores, ["a", "b"], checks)
    checks.read()
    assert rounded.tolist() == [torch.tensor(0.1).half().item(), 2048]
    (rounded * torch.tensor([0.1, 1e-9])).sum().backward()
    assert scores.grad.tolist() == [torch.tensor(0.1).half().item(), 0]


@pytest.mark.parametrize("scores", [[1.0, 70000.0], [[1.0, 2.0], [3.0, -70000.0]]])
def test_an_overflow_names_the_score_and_its_example(scores):
    checks = DeferredChecks()
    to_half(torch.tensor(scores), ["data_1", "data_2"], checks)
    with pytest.raises(UserError, match=r"the score 70000 of data_2 is beyond 16 bits .* precision: fp32"):
        checks.read()


def test_a_weight_that_overflows_is_named():
    layer = nn.Sequential(nn.Linear(2, 2))
    nn.init.constant_(layer[0].weight, 1e5)
    checks = DeferredChecks()
    round_weights(layer, checks)
    with pytest.raises(UserError, match=r"a weight of 0.weight is 100000, beyond 16 bits"):
        checks.read()


def test_gradients_are_rounded_when_accumulated():
    layer = nn.Linear(1, 1, bias=False)
    GradientRounding(layer, DeferredChecks())
    (0.1 * layer.weight.sum()).backward()
    assert layer.weight.grad.item() == torch.tensor(0.1).half().item()


def test_a_gradient_that_overflows_is_reported_with_the_largest_score():
    layer = nn.Linear(1, 1, bias=False)
    checks = DeferredChecks()
    gradients = GradientRounding(layer, checks)
    gradients.record_scores(torch.tensor([3.0, -40000.0]), ["data_1", "data_2"])
    (1e6 * layer.weight.sum()).backward()
    with pytest.raises(UserError, match=r"gradient of weight is 1e\+06, .* score .* is -40000, of data_2"):
        checks.read()
