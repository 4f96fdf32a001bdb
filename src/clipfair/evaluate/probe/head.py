"""A linear probe of frozen features (docs/fairclip-protocol.md, section 5).

The head is a batch norm without parameters and a linear layer with two outputs, of which only the second is
used: the loss is the binary cross-entropy of logit[1], the probability of label 1 is its sigmoid. The first
output still has an effect, since LARS takes the norm of the whole weight. The learning rate is
``base_rate * batch_size / 256``, reached by a linear warm-up and then decayed by half a cosine to 0; it is
set at every step. Every ``every`` epochs, and after the last, the probe is validated. The test predictions at
the best validation AUC are kept, the first of equal ones.

All randomness comes from a torch generator: the initial weights, the order of the examples, and the
augmentation of the features.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError, progress
from clipfair.metrics.prediction import auc
from clipfair.models.placement import to_device

if TYPE_CHECKING:
    from timm.optim import Lars

BASE_BATCH = 256  # the batch size that the base rate is given for


@dataclass(frozen=True)
class ProbeSettings:
    """Settings for fitting a probe; the defaults are those of the reproduction.

    No pydantic model: the configuration has checked the values (``LinearProbeEvaluation``), and jobs of
    evaluation do not import pydantic.

    Attributes
    ----------
    epochs : the number of epochs.
    batch_size : examples per step; the last, incomplete batch of an epoch is dropped.
    base_rate : the learning rate for a batch of 256.
    momentum, trust, weight_decay : of LARS.
    warm_up : epochs of linear warm-up.
    every : epochs between two validations.
    reshuffle : draw a new order of the examples each epoch; the reproduction has one order for all.
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


def read_probe_settings(settings: Mapping) -> ProbeSettings:
    """The settings of the probe among those of an evaluation; defaults for the others."""
    names = [field.name for field in fields(ProbeSettings)]
    return ProbeSettings(**{name: settings[name] for name in names if name in settings})


@dataclass(frozen=True)
class LabelledFeatures:
    """Examples: their ``features`` (n, d) float32, and ``labels`` (n,) 0 or 1."""

    features: Tensor
    labels: np.ndarray


@dataclass(frozen=True)
class FittedProbe:
    """A probe at its best validation AUC.

    Attributes
    ----------
    p : (n,) float64, the probability of label 1 of the test examples.
    log : one mapping per validation: ``epoch``, ``loss`` (mean of the epoch), ``validation_auc``,
        ``test_auc``.
    """

    p: np.ndarray
    log: list[dict]


def learning_rate(epoch: float, settings: ProbeSettings) -> float:
    """The learning rate at a point of training in epochs, fractions included."""
    highest = settings.base_rate * settings.batch_size / BASE_BATCH
    if epoch < settings.warm_up:
        return highest * epoch / settings.warm_up
    done = (epoch - settings.warm_up) / (settings.epochs - settings.warm_up)
    return highest * 0.5 * (1 + math.cos(math.pi * done))


def make_head(width: int, generator: torch.Generator) -> nn.Sequential:
    """Batch norm without parameters (eps 1e-6) and a linear layer with two outputs.

    Weights are normal with standard deviation 0.01, truncated at 2 in absolute value; the bias, which the
    papers do not specify, is 0.
    """
    linear = nn.Linear(width, 2)
    nn.init.trunc_normal_(linear.weight, std=0.01, generator=generator)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.BatchNorm1d(width, affine=False, eps=1e-6), linear)


def make_optimiser(head: nn.Module, settings: ProbeSettings) -> "Lars":
    """LARS with the trust ratio and weight decay on the weight alone, as MAE's linear probes use it.

    timm divides by |g| + weight_decay |w|, MAE by |g + weight_decay w|: the same without weight decay.
    """
    from timm.optim import Lars  # late: it imports all of timm

    weights = [parameter for parameter in head.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in head.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": settings.weight_decay, "always_adapt": True},
        {"params": others, "weight_decay": 0.0},
    ]
    return Lars(groups, lr=0.0, momentum=settings.momentum, trust_coeff=settings.trust, foreach=False)


def fit_probe(
    training_features: Callable[[Tensor], Tensor],
    labels: np.ndarray,
    *,
    validation: LabelledFeatures,
    test: LabelledFeatures,
    settings: ProbeSettings,
    generator: torch.Generator,
) -> FittedProbe:
    """Fit a probe to features that are fixed, or computed again at every step.

    Parameters
    ----------
    training_features
        Positions of training examples (int64) -> their features (b, d) float32; it may augment the examples.
    labels
        (n,) 0 or 1, of the training examples.
    validation, test
        Examples with features that are not augmented.
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
    optimiser = make_optimiser(head, settings)
    targets = torch.as_tensor(labels, dtype=torch.float32)
    order = torch.randperm(len(labels), generator=generator)
    best_p, best_auc, log = None, -1.0, []
    for epoch in progress(range(1, settings.epochs + 1), unit="epoch", what="probe"):
        if settings.reshuffle and epoch > 1:
            order = torch.randperm(len(labels), generator=generator)
        loss = _train_epoch(head, optimiser, training_features, targets, order, epoch, settings)
        if epoch % settings.every == 0 or epoch == settings.epochs:
            of_validation, of_test = _predict(head, validation), _predict(head, test)
            aucs = {
                "validation_auc": auc(validation.labels, of_validation),
                "test_auc": auc(test.labels, of_test),
            }
            log.append({"epoch": epoch, "loss": loss, **aucs})
            if best_p is None or aucs["validation_auc"] > best_auc:
                best_p, best_auc = of_test, aucs["validation_auc"]
    return FittedProbe(best_p, log)


def _check(labels: np.ndarray, validation_labels: np.ndarray, settings: ProbeSettings) -> None:
    if len(labels) < settings.batch_size:
        raise UserError(
            f"linear probe: {len(labels):,} training examples are less than one batch of "
            f"{settings.batch_size}; set a smaller batch_size in the configuration"
        )
    if settings.warm_up >= settings.epochs:
        raise UserError(
            f"linear probe: a warm-up of {settings.warm_up} epochs leaves none of {settings.epochs}; "
            "set a smaller warm_up in the configuration"
        )
    for name, values in (("training", labels), ("validation", validation_labels)):
        if len(np.unique(values)) < 2:
            raise UserError(f"linear probe: the {name} labels are all equal; choose examples of both labels")


def _train_epoch(
    head: nn.Module,
    optimiser: "Lars",
    training_features: Callable[[Tensor], Tensor],
    targets: Tensor,
    order: Tensor,
    epoch: int,
    settings: ProbeSettings,
) -> float:
    """One epoch of steps; the mean loss."""
    head.train()
    steps = len(order) // settings.batch_size
    losses = []
    for step, rows in enumerate(order[: steps * settings.batch_size].split(settings.batch_size)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(epoch - 1 + step / steps, settings)
        logits = head(training_features(rows))[:, 1]
        loss = functional.binary_cross_entropy_with_logits(logits, to_device(targets[rows], logits.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return sum(torch.stack(losses).tolist()) / steps


@torch.no_grad()
def _predict(head: nn.Module, examples: LabelledFeatures) -> np.ndarray:
    """The probability of label 1; (n,) float64."""
    head.eval()
    return torch.sigmoid(head(examples.features)[:, 1].double()).cpu().numpy()
