"""FairCLIP's loss, in every form of the switches of docs/fairclip-methods.md.

    loss = CE(L) + lam * sum over attributes of weight * sum over groups of D(batch scores, group scores)

CE is CLIP's contrastive loss of the batch's logits L, D the distance of the method. The gradient is that of
the batch alone: the group batches are embedded without gradients. CE is the mean over the pairs of the batch,
each times its weight if examples have weights, or group-DRO's loss of them. See docs/fairclip-protocol.md,
section 1.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.metrics.distances import group_distances
from clipfair.models.interface import BuiltModel
from clipfair.models.placement import to_device
from clipfair.train.cross_entropy import pair_cross_entropies, symmetric_cross_entropy
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.group_dro import GroupDro
from clipfair.train.fairclip.half_precision import GradientRounding, round_weights, to_half
from clipfair.train.fairclip.scores import divide_by_sum, keep, pair_scores, square_scores, standardise
from clipfair.train.finetuning.batches import (
    CELLS,
    GROUP_KEYS,
    GROUP_LABELS,
    GROUP_PIXELS,
    GROUP_SIZES,
    GROUP_TEXTS,
    LABELS,
    WEIGHTS,
)
from clipfair.train.interfaces import Batch
from clipfair.train.pretraining.contrastive import embed

# Names of a text tower outside its blocks, which the released code does not train, and the temperature.
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
# Value of the switch -> what is done to the scores of the batch, and to those of each group.
NORMALISATIONS = {
    "none": (keep, keep),
    "group": (keep, divide_by_sum),
    "batch": (divide_by_sum, keep),
    "both": (divide_by_sum, divide_by_sum),
    "standard": (standardise, standardise),
}


class FairclipObjective:
    """The contrastive loss of a batch and, if there is ``fairness``, the fairness loss of its groups.

    Parameters
    ----------
    switches
        The settings of the method: the value of every switch, plain.
    fairness
        ``lam`` (λ) and ``weights`` (of each attribute); None for the contrastive loss alone.
    attribute_of
        The attribute of each group batch, in their order.
    built
        The model; it normalises the images of the groups.
    checks
        Gets the checks of numbers of 16 bits.
    divisor
        The loss is divided by it.
    prompts
        (2, length) tokens, of label 0 and of label 1; the score ``margin`` needs them.
    robust
        Group-DRO over the cells of the examples; None for the mean over examples.
    """

    def __init__(
        self,
        switches: Mapping,
        fairness: Mapping | None,
        attribute_of: Sequence[str],
        built: BuiltModel,
        checks: DeferredChecks,
        *,
        divisor: int = 1,
        prompts: Tensor | None = None,
        robust: GroupDro | None = None,
    ):
        self.switches, self.fairness, self.built = switches, fairness, built
        self.attribute_of, self.checks, self.divisor = list(attribute_of), checks, divisor
        self.prompts, self.robust = prompts, robust
        self.is_half = switches["precision"] == "fp16_roundtrip"
        self.gradients: GradientRounding | None = None

    def prepare(self, model: nn.Module) -> None:
        """Round the weights, and install the rounding of their gradients, if the precision is 16 bits."""
        if self.is_half:
            round_weights(model, self.checks)
            self.checks.read()
            self.gradients = GradientRounding(model, self.checks)

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """Return the parameters of the towers, or all; a switch decides on the temperature."""
        for name, parameter in model.named_parameters():
            if name == TEMPERATURE:
                is_trained = self.switches["logit_scale"] == "trained"
            else:
                is_trained = self.switches["trained"] == "all" or in_towers(name)
            if is_trained:
                yield name, parameter

    def after_update(self, model: nn.Module) -> None:
        """Round the weights if the precision is 16 bits."""
        if self.is_half:
            round_weights(model, self.checks)

    def terms(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return ``loss``, its parts ``contrastive`` and ``fairness`` (without λ), and the mean ``score``."""
        is_training = self.switches["mode"] == "train"
        if model.training != is_training:
            model.train(is_training)
        images, texts = embed(model, batch)
        logits = self._rounded(model.logit_scale.exp() * images @ texts.T, batch.keys)
        contrastive = self._contrastive(logits, batch.extra)
        if self.fairness is None:
            self._record_scores(logits.diagonal(), batch.keys)
            return {"loss": contrastive / self.divisor, "contrastive": contrastive.detach()}
        direction = self._prompt_direction(model, images)
        scores = self._rounded(self._scores(logits, images, direction), batch.keys)
        self._record_scores(scores, batch.keys)
        groups = self._group_scores(model, batch, None if direction is None else direction.detach())
        if self.switches["conditional"] == "label":
            fairness = self._fairness_by_label(scores, groups, batch.extra)
        else:
            fairness = self._fairness(scores, groups)
        loss = contrastive if self.switches["overwritten"] else contrastive + self.fairness["lam"] * fairness
        logged = {"contrastive": contrastive, "fairness": fairness, "score": scores.mean()}
        return {"loss": loss / self.divisor, **{name: value.detach() for name, value in logged.items()}}

    def _contrastive(self, logits: Tensor, extra: Mapping) -> Tensor:
        if WEIGHTS in extra:
            return (pair_cross_entropies(logits) * extra[WEIGHTS]).mean()
        if self.robust is not None:
            return self.robust.loss(pair_cross_entropies(logits), extra[CELLS])
        return symmetric_cross_entropy(logits)

    def _rounded(self, scores: Tensor, keys: Sequence[str]) -> Tensor:
        return to_half(scores, keys, self.checks) if self.is_half else scores

    def _record_scores(self, scores: Tensor, keys: Sequence[str]) -> None:
        if self.gradients is not None:
            self.gradients.record_scores(scores, keys)

    def _prompt_direction(self, model: nn.Module, images: Tensor) -> Tensor | None:
        """Return the vector whose product with an image is its margin, (r,); None for another score."""
        if self.switches["score"] != "margin":
            return None
        texts = model.encode_text(to_device(self.prompts, images.device))
        prompts = functional.normalize(texts.float(), dim=-1)
        return model.logit_scale.exp() * (prompts[1] - prompts[0])

    def _scores(self, logits: Tensor, images: Tensor, direction: Tensor | None) -> Tensor:
        if direction is not None:
            return images @ direction
        return logits.diagonal() if self.switches["score"] == "diag" else square_scores(logits)

    @torch.no_grad()
    def _group_scores(self, model: nn.Module, batch: Batch, direction: Tensor | None) -> list[Tensor]:
        """Return the scores of every group batch: in one pass if the examples do not depend on each other."""
        sizes, keys = batch.extra[GROUP_SIZES], batch.extra[GROUP_KEYS]
        images = self.built.normalise(batch.extra[GROUP_PIXELS])
        joined = Batch(images, batch.extra[GROUP_TEXTS], keys)
        if mixes_examples(model):
            parts = [embed(model, part) for part in _split(joined, sizes)]
        else:
            parts = list(zip(*(side.split(sizes) for side in embed(model, joined)), strict=True))
        scale = model.logit_scale.exp()
        if direction is None:
            scores = [self._pair_scores(images, texts, scale) for images, texts in parts]
        else:
            scores = [images @ direction for images, _ in parts]
        return list(self._rounded(torch.cat(scores), keys).split(sizes))

    def _pair_scores(self, images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
        if self.switches["score"] == "diag":
            return pair_scores(images, texts, scale)
        logits = scale * images @ texts.T
        return square_scores(logits.half().float() if self.is_half else logits)

    def _fairness_by_label(self, scores: Tensor, groups: Sequence[Tensor], extra: Mapping) -> Tensor:
        """Return the mean over both labels of the loss of the scores with that label.

        A label adds nothing if the batch has fewer than two examples of it, and a group adds nothing to a
        label that its batch does not have.
        """
        labels = np.split(extra[GROUP_LABELS], np.cumsum(extra[GROUP_SIZES])[:-1])
        total = scores.new_zeros(())
        for label in (0, 1):
            of_batch = _with_label(scores, extra[LABELS], label)
            of_groups = [_with_label(*group, label) for group in zip(groups, labels, strict=True)]
            present = [place for place, group in enumerate(of_groups) if len(group)]
            if len(of_batch) > 1 and present:
                chosen = [of_groups[place] for place in present]
                total = total + self._fairness(of_batch, chosen, places=present)
        return total / 2

    def _fairness(
        self, scores: Tensor, groups: Sequence[Tensor], places: Sequence[int] | None = None
    ) -> Tensor:
        """Return the weighted sum of the distances of ``groups``: all of them, or those in ``places``."""
        of_batch, of_group = NORMALISATIONS[self.switches["normalise"]]
        scores, groups = of_batch(scores), [of_group(group) for group in groups]
        values = group_distances(self.switches["distance"], scores, groups)
        if self.switches["nan_to_zero"]:
            values = values.nan_to_num(nan=0.0)
        weights = self._group_weights()
        chosen = weights if places is None else [weights[place] for place in places]
        return values @ torch.tensor(chosen, dtype=values.dtype).to(values.device, non_blocking=True)

    def _group_weights(self) -> list[float]:
        """Return the weight of each group's distance."""
        weights = []
        for attribute in self.attribute_of:
            weight = self.fairness["weights"][attribute]
            if self.switches["group_reduction"] == "mean":
                weight /= self.attribute_of.count(attribute)
            if self.switches["divide_by_attributes"]:
                weight /= len(self.fairness["weights"])
            weights.append(weight)
        return weights

    def state_dict(self) -> dict:
        """Return the weights of group-DRO; empty without it."""
        return {} if self.robust is None else self.robust.state_dict()

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""
        if self.robust is not None:
            self.robust.load_state_dict(state)


def in_towers(name: str) -> bool:
    """Return True for a parameter of the image tower or of the blocks of the text tower.

    >>> in_towers("visual.proj"), in_towers("transformer.resblocks.0.ln_1.bias"), in_towers("text_projection")
    (True, True, False)
    """
    return not name.removeprefix("text.").startswith(OUTSIDE_TOWERS)


def mixes_examples(model: nn.Module) -> bool:
    """Return True if an embedding depends on the other examples of its batch: batch norm in training mode."""
    kinds = nn.modules.batchnorm._BatchNorm
    return any(isinstance(module, kinds) and module.training for module in model.modules())


def _with_label(scores: Tensor, labels: np.ndarray, label: int) -> Tensor:
    rows = torch.from_numpy(np.flatnonzero(labels == label))
    return scores[to_device(rows, scores.device)]


def _split(batch: Batch, sizes: Sequence[int]) -> list[Batch]:
    parts = zip(batch.images.split(sizes), batch.texts.split(sizes), strict=True)
    return [Batch(images, texts, ()) for images, texts in parts]
