"""A linear probe of frozen features, as section 5 of the FairCLIP protocol fits it.

The head is a batch norm without parameters and a linear layer with two outputs, of which only the second
is used: the loss is the binary cross-entropy of logit[1], the probability of 1 its sigmoid. The first
still counts: LARS takes the norm of the whole weight. The rate is ``base_rate * batch_size / 256``, after a
linear warm-up half a cosine to 0, set anew at every step. Every ``every`` epochs, and after the last, it
is validated; what is kept is the state with the best validation AUC, of equal ones the first.

torch's generator is the only source of chance: the first weights, the order of the examples, and what the
features draw (augmentation).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError, progress
from clipfair.metrics import auc

LARS_BATCH = 256  # the batch that the base rate is for


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is fitted; the defaults are the reproduction's.

    Attributes
    ----------
    epochs, batch_size : batches are full, what is left over is dropped.
    base_rate : for a batch of 256.
    momentum, trust, weight_decay : LARS's.
    warm_up : epochs.
    every : epochs between two validations.
    reshuffle : a new order of the examples each epoch; the reproduction has one order for all.
    """

    epochs: int = 500
    batch_size: int = 512
    base_rate: float = 0.1
    momentum: float = 0.9
    trust: float = 0.001
    weight_decay: float = 0.0
    warm_up: int = 10
    every: int = 10
    reshuffle: bool = False


@dataclass(frozen=True)
class Split:
    """Examples: their ``features`` (n, d) float32, and ``labels`` (n,) 0 or 1."""

    features: Tensor
    labels: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """A probe at its best validation AUC.

    Attributes
    ----------
    p : (n,) float64, the probability of 1 of the test examples.
    epoch : when that was.
    log : a mapping for each validation: ``epoch``, ``loss`` (mean of the epoch), ``validation_auc``,
        ``test_auc``.
    state : the head's weights.
    """

    p: np.ndarray
    epoch: int
    log: list[dict]
    state: dict[str, Tensor]


class Lars(torch.optim.Optimizer):
    """Layer-wise adaptive rates (You et al. 2017) as MAE's linear probes use them.

    With the gradient g of a parameter w of more than one dimension: d = g + weight_decay w, scaled by
    trust |w| / |d| unless one of the norms is 0; d = g for the others. v = momentum v + d; w -= lr v.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float,
        trust: float,
        weight_decay: float,
    ):
        settings = {"lr": lr, "momentum": momentum, "trust": trust, "weight_decay": weight_decay}
        super().__init__(parameters, settings)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One step with the gradients that are there."""
        for group in self.param_groups:
            for weight in group["params"]:
                direction = _direction(weight, group["trust"], group["weight_decay"])
                state = self.state[weight]
                velocity = state.setdefault("velocity", torch.zeros_like(weight))
                velocity.mul_(group["momentum"]).add_(direction)
                weight.sub_(velocity, alpha=group["lr"])


def _direction(weight: Tensor, trust: float, weight_decay: float) -> Tensor:
    if weight.ndim < 2:
        return weight.grad
    direction = weight.grad.add(weight, alpha=weight_decay)
    size, length = weight.norm(), direction.norm()
    return direction * (trust * size / length) if size > 0 and length > 0 else direction


def learning_rate(epoch: float, settings: ProbeSettings) -> float:
    """The rate at a point of training in epochs, fractions included."""
    highest = settings.base_rate * settings.batch_size / LARS_BATCH
    if epoch < settings.warm_up:
        return highest * epoch / settings.warm_up
    done = (epoch - settings.warm_up) / (settings.epochs - settings.warm_up)
    return highest * 0.5 * (1 + math.cos(math.pi * done))


def make_head(width: int, generator: torch.Generator) -> nn.Sequential:
    """Batch norm without parameters (eps 1e-6) and a linear layer with two outputs.

    Weights are normal with deviation 0.01, cut at 2 in absolute value; the bias, of which the papers say
    nothing, is 0.
    """
    linear = nn.Linear(width, 2)
    nn.init.trunc_normal_(linear.weight, std=0.01, generator=generator)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.BatchNorm1d(width, affine=False, eps=1e-6), linear)


def fit_probe(
    see: Callable[[Tensor], Tensor],
    labels: np.ndarray,
    *,
    validation: Split,
    test: Split,
    settings: ProbeSettings,
    generator: torch.Generator,
) -> Fitted:
    """Fit a probe to features that are given, or seen anew at every step.

    Parameters
    ----------
    see
        Which training examples (int64 positions) -> their features (b, d) float32; it may augment.
    labels
        (n,) 0 or 1, of the training examples.
    validation, test
        Their features are not augmented.
    generator
        On the CPU.

    Raises
    ------
    UserError
        If there are fewer examples than a batch, the warm-up is as long as the training, or the training
        or validation labels are all equal.
    """
    _check(labels, validation.labels, settings)
    device = validation.features.device
    head = make_head(validation.features.shape[1], generator).to(device)
    optimiser = Lars(
        head.parameters(),
        lr=0.0,
        momentum=settings.momentum,
        trust=settings.trust,
        weight_decay=settings.weight_decay,
    )
    targets = torch.as_tensor(labels, dtype=torch.float32)
    order = torch.randperm(len(labels), generator=generator)
    best, log = None, []
    for epoch in progress(range(1, settings.epochs + 1), unit="epoch", what="probe"):
        if settings.reshuffle and epoch > 1:
            order = torch.randperm(len(labels), generator=generator)
        loss = _train_epoch(head, optimiser, see, targets, order, epoch, settings)
        if epoch % settings.every == 0 or epoch == settings.epochs:
            found = _validate(head, epoch, loss, validation, test)
            log.append(found.log[0])
            if best is None or found.log[0]["validation_auc"] > best.log[0]["validation_auc"]:
                best = found
    return Fitted(best.p, best.epoch, log, best.state)


def _check(labels: np.ndarray, validation_labels: np.ndarray, settings: ProbeSettings) -> None:
    if len(labels) < settings.batch_size:
        raise UserError(
            f"linear probe: {len(labels):,} training examples are no full batch of {settings.batch_size}; "
            "set a smaller batch_size in config.yaml"
        )
    if settings.warm_up >= settings.epochs:
        raise UserError(
            f"linear probe: a warm-up of {settings.warm_up} epochs leaves none of {settings.epochs}; "
            "set a smaller warm_up in config.yaml"
        )
    for name, values in (("training", labels), ("validation", validation_labels)):
        if len(np.unique(values)) < 2:
            raise UserError(f"linear probe: the {name} labels are all equal; there is nothing to tell apart")


def _train_epoch(
    head: nn.Module,
    optimiser: Lars,
    see: Callable[[Tensor], Tensor],
    targets: Tensor,
    order: Tensor,
    epoch: int,
    settings: ProbeSettings,
) -> float:
    head.train()
    steps = len(order) // settings.batch_size
    total = 0.0
    for step, rows in enumerate(order[: steps * settings.batch_size].split(settings.batch_size)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(epoch - 1 + step / steps, settings)
        logits = head(see(rows))[:, 1]
        loss = functional.binary_cross_entropy_with_logits(logits, targets[rows].to(logits.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach())
    return total / steps


@torch.no_grad()
def _validate(head: nn.Module, epoch: int, loss: float, validation: Split, test: Split) -> Fitted:
    head.eval()
    seen, p = (torch.sigmoid(head(part.features)[:, 1].double()).cpu().numpy() for part in (validation, test))
    found = {
        "epoch": epoch,
        "loss": loss,
        "validation_auc": auc(validation.labels, seen),
        "test_auc": auc(test.labels, p),
    }
    state = {name: value.detach().cpu().clone() for name, value in head.state_dict().items()}
    return Fitted(p, epoch, [found], state)
