"""FairCLIP's loss, in every form of :class:`clipfair.plan.fairclip_switches.Switches`.

    CE(L) + lam * sum over attributes of weight * sum over groups of D(batch's scores, group's scores)

CE is CLIP's contrastive loss of the batch's logits L. Gradients flow through the batch alone; the group
batches are embedded without.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.metrics.distances import measure
from clipfair.models.interface import Built
from clipfair.plan.fairclip_switches import Fairness, Switches
from clipfair.train.fairclip.half_precision import HalfGradients, round_weights, to_half
from clipfair.train.fairclip.scores import normalise, pair_scores, square_scores
from clipfair.train.finetuning.batches import GROUP_KEYS, GROUP_PIXELS, GROUP_SIZES, GROUP_TEXTS
from clipfair.train.pretraining.contrastive import embed
from clipfair.train.protocols import Batch

# The parts of a text tower outside its blocks, which the released code never trains, and the temperature.
OUTSIDE_TOWERS = (
    "token_embedding",
    "positional_embedding",
    "ln_final",
    "text_projection",
    "words",
    "norm",
    "proj",
    "logit_",
)
TEMPERATURE = "logit_scale"


class FairObjective:
    """The contrastive loss of a batch and, if there is ``fairness``, that of its groups.

    Parameters
    ----------
    switches
        Of the method.
    fairness
        λ and the weights of the attributes; None for the contrastive loss alone.
    attribute_of
        The attribute of each of the group batches, in their order.
    built
        Prepares the pictures of the groups.
    """

    def __init__(
        self, switches: Switches, fairness: Fairness | None, attribute_of: Sequence[str], built: Built
    ):
        self.switches, self.fairness, self.built = switches, fairness, built
        self.attribute_of = list(attribute_of)
        self.is_half = switches.precision == "fp16_roundtrip"
        self.gradients: HalfGradients | None = None

    def prepare(self, model: nn.Module) -> None:
        """Round the weights, and their gradients as they come, if they are 16-bit."""
        if self.is_half:
            round_weights(model)
            self.gradients = HalfGradients(model)

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """Those of the towers, or all; the temperature has a switch of its own."""
        for name, parameter in model.named_parameters():
            if name == TEMPERATURE:
                is_trained = self.switches.logit_scale == "trained"
            else:
                is_trained = self.switches.trained == "all" or in_towers(name)
            if is_trained:
                yield name, parameter

    def terms(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """``loss``; ``contrastive`` and ``fairness`` (without λ), its parts; ``score``, their mean."""
        is_training = self.switches.mode == "train"
        if model.training != is_training:
            model.train(is_training)
        images, texts = embed(model, batch)
        logits = self._rounded(model.logit_scale.exp() * images @ texts.T, batch.keys)
        contrastive = contrastive_loss(logits)
        if self.fairness is None:
            self._see(logits.diagonal(), batch.keys)
            return {"loss": contrastive, "contrastive": contrastive.detach()}
        scores = logits.diagonal() if self.switches.score == "diag" else square_scores(logits)
        scores = self._rounded(scores, batch.keys)
        self._see(scores, batch.keys)
        fairness = self._fairness(scores, self._group_scores(model, batch))
        loss = contrastive if self.switches.overwritten else contrastive + self.fairness.lam * fairness
        told = {"contrastive": contrastive, "fairness": fairness, "score": scores.mean()}
        return {"loss": loss, **{name: value.detach() for name, value in told.items()}}

    def _rounded(self, scores: Tensor, keys: Sequence[str]) -> Tensor:
        return to_half(scores, keys) if self.is_half else scores

    def _see(self, scores: Tensor, keys: Sequence[str]) -> None:
        if self.gradients is not None:
            self.gradients.see(scores, keys)

    @torch.no_grad()
    def _group_scores(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """The scores of every group's batch: one pass through the model, if it treats each example alone."""
        sizes, keys = batch.extra[GROUP_SIZES], batch.extra[GROUP_KEYS]
        images = self.built.normalise(batch.extra[GROUP_PIXELS])
        together = Batch(images, batch.extra[GROUP_TEXTS], keys)
        if mixes_examples(model):
            parts = [embed(model, part) for part in _split(together, sizes)]
        else:
            parts = list(zip(*(side.split(sizes) for side in embed(model, together)), strict=True))
        scale = model.logit_scale.exp()
        scores = [self._pair_scores(images, texts, scale) for images, texts in parts]
        return list(self._rounded(torch.cat(scores), keys).split(sizes))

    def _pair_scores(self, images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
        if self.switches.score == "diag":
            return pair_scores(images, texts, scale)
        logits = scale * images @ texts.T
        return square_scores(logits.half().float() if self.is_half else logits)

    def _fairness(self, scores: Tensor, groups: Sequence[Tensor]) -> Tensor:
        if self.switches.normalise == "both":
            scores = normalise(scores)
        if self.switches.normalise != "none":
            groups = [normalise(group) for group in groups]
        values = measure(self.switches.distance, scores, groups)
        if self.switches.nan_to_zero:
            values = values.nan_to_num(nan=0.0)
        return values @ self._group_weights(values)

    def _group_weights(self, like: Tensor) -> Tensor:
        """What each group's distance counts: (G,)."""
        weights = []
        for attribute in self.attribute_of:
            weight = self.fairness.weights[attribute]
            if self.switches.group_reduction == "mean":
                weight /= self.attribute_of.count(attribute)
            if self.switches.divide_by_attributes:
                weight /= len(self.fairness.weights)
            weights.append(weight)
        return torch.tensor(weights, dtype=like.dtype, device=like.device)

    def state_dict(self) -> dict:
        """Nothing: the batches draw, it does not."""
        return {}

    def load_state_dict(self, state: Mapping) -> None:
        """Nothing."""


def contrastive_loss(logits: Tensor) -> Tensor:
    """[CE over rows + CE over columns] / 2, the pairs on the diagonal."""
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def in_towers(name: str) -> bool:
    """Whether a parameter is of the image tower or of the blocks of the text tower.

    >>> in_towers("visual.proj"), in_towers("transformer.resblocks.0.ln_1.bias"), in_towers("text_projection")
    (True, True, False)
    """
    return not name.removeprefix("text.").startswith(OUTSIDE_TOWERS)


def mixes_examples(model: nn.Module) -> bool:
    """Whether an example's embedding depends on the others of its batch: batch norm that is training."""
    kinds = nn.modules.batchnorm._BatchNorm
    return any(isinstance(module, kinds) and module.training for module in model.modules())


def _split(batch: Batch, sizes: Sequence[int]) -> list[Batch]:
    parts = zip(batch.images.split(sizes), batch.texts.split(sizes), strict=True)
    return [Batch(images, texts, ()) for images, texts in parts]
