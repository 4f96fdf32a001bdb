"""Group-DRO (Sagawa et al., 2020, Algorithm 1): weights of the groups that grow with the groups' losses."""

from collections.abc import Mapping

import torch
from torch import Tensor


class GroupDro:
    """The weights q of the groups, and the loss that they give.

    After each batch, with the mean loss of each group in it, 0 for a group without an example::

        q_g <- q_g exp(step * loss_g), then divided by their sum;    loss = sum over g of q_g loss_g

    Parameters
    ----------
    groups
        Their number; all weights are equal at the start.
    step
        The step size of the weights, > 0.
    """

    def __init__(self, groups: int, step: float):
        self.weights, self.step = torch.full((groups,), 1 / groups), step

    def loss(self, losses: Tensor, codes: Tensor) -> Tensor:
        """Update the weights by a batch, and return its loss.

        Parameters
        ----------
        losses
            (n,) of each example.
        codes
            (n,) int64, the group of each example; an example of -1 is in none and left out.
        """
        groups = torch.arange(len(self.weights), device=codes.device)
        members = (codes.unsqueeze(1) == groups).to(losses)
        means = losses @ members / members.sum(dim=0).clamp(min=1)
        grown = self.weights.to(means) * torch.exp(self.step * means.detach())
        self.weights = grown / grown.sum()
        return means @ self.weights

    def state_dict(self) -> dict:
        """Return the weights."""
        return {"group_weights": self.weights}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the weights."""
        self.weights = state["group_weights"]
