"""Group-DRO's update by hand; its minimum is that of the worst group."""

import numpy as np
import pytest
import torch

from clipfair.train.fairclip.group_dro import GroupDro


def test_two_updates_by_hand():
    robust = GroupDro(3, 0.5)
    codes = torch.tensor([0, 1, 0, -1])
    losses = torch.tensor([1.0, 4.0, 3.0, 100.0], requires_grad=True)
    value = robust.loss(losses, codes)
    grown = np.exp([0.5 * 2, 0.5 * 4, 0])  # group 2 has no example, so its loss counts as 0
    first = grown / grown.sum()
    np.testing.assert_allclose(robust.weights, first, rtol=1e-6)
    assert value.item() == pytest.approx(first @ [2, 4, 0])
    value.backward()
    np.testing.assert_allclose(losses.grad, [first[0] / 2, first[1], first[0] / 2, 0], rtol=1e-6)
    robust.loss(torch.tensor([6.0]), torch.tensor([2]))
    grown = first * np.exp([0, 0, 0.5 * 6])
    np.testing.assert_allclose(robust.weights, grown / grown.sum(), rtol=1e-6)


def test_the_minimum_is_that_of_the_worst_group():
    """90 examples at 0 and 10 at 1: the mean square is smallest at 0.1, the worst group's in the middle."""
    targets, codes = torch.tensor([0.0] * 90 + [1.0] * 10), torch.tensor([0] * 90 + [1] * 10)

    def minimum(loss_of):
        theta = torch.zeros((), requires_grad=True)
        for _ in range(2000):
            [slope] = torch.autograd.grad(loss_of((theta - targets).square()), theta)
            theta = (theta - 0.05 * slope).detach().requires_grad_()
        return theta.item()

    robust = GroupDro(2, 0.1)
    assert minimum(torch.mean) == pytest.approx(0.1, abs=1e-3)
    assert minimum(lambda losses: robust.loss(losses, codes)) == pytest.approx(0.5, abs=0.01)


def test_a_restored_state_continues():
    codes = torch.tensor([0, 1])
    whole, parts = GroupDro(2, 1.0), GroupDro(2, 1.0)
    for losses in ([1.0, 2.0], [0.5, 0.1]):
        whole.loss(torch.tensor(losses), codes)
    parts.loss(torch.tensor([1.0, 2.0]), codes)
    again = GroupDro(2, 1.0)
    again.load_state_dict(parts.state_dict())
    again.loss(torch.tensor([0.5, 0.1]), codes)
    assert torch.equal(again.weights, whole.weights)
