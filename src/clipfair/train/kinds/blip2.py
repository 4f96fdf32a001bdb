"""BLIP2's first stage (Li et al. 2023, section 3.2): images with texts, the sum of three losses.

- contrast: the similarity of an image and a text is that of the image's best query; symmetric cross-entropy
  over the batch, labels smoothed by 0.1;
- match: a classifier of pairs into matching or not; for each pair, a wrong text and a wrong image are drawn
  from the batch, with probabilities by their similarity;
- generate: each word of the text from the image's queries and the words before it, labels smoothed by 0.1.

See docs/fairclip-protocol.md, section 5.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.models.blip2 import Blip2
from clipfair.models.interface import BuiltModel
from clipfair.models.placement import to_device
from clipfair.train.cross_entropy import symmetric_cross_entropy
from clipfair.train.finetuning.augmentation import augmented_images
from clipfair.train.finetuning.batches import GroupedBatches
from clipfair.train.finetuning.examples import read_splits
from clipfair.train.interfaces import Batch, Process, TrainingParts
from clipfair.train.order import check_size

SMOOTHING = 0.1
IGNORED = -100


def make_parts(
    settings: Mapping,
    data: Mapping,
    built: BuiltModel,
    *,
    process: Process,
    out: Mapping[str, str],
    scratch: str,
) -> TrainingParts:
    """Return the parts of a training of the first stage.

    The parameters are those of :func:`clipfair.train.kinds.pretrain.make_parts`; ``data`` has ``raw``,
    ``table`` and ``cache``. The recipe has ``batch_size``, ``epochs`` and the entries that
    :mod:`clipfair.train.finetuning.examples` reads. The last batch of a pass is left out if it is smaller.
    The last epoch is saved, as in the papers.

    Raises
    ------
    UserError
        If there are fewer examples than a batch, or the recipe names what the data do not have.
    """
    recipe, seed = settings["recipe"], settings["run"]["seed"]
    if process.world > 1 or recipe.get("accumulate", 1) != 1:
        raise UserError(
            "recipes.yaml: blip2 draws wrong pairs from the batch of one process and step; set gpus to 1 or "
            "0, and accumulate to 1"
        )
    splits = read_splits(recipe, data, built, seed=seed, cache=data.get("cache", scratch))
    check_size("the train split", len(splits["train"]), recipe["batch_size"])
    source = GroupedBatches(
        splits["train"],
        built,
        [],
        batch_size=recipe["batch_size"],
        group_batch_size=recipe["batch_size"],
        seed=seed,
        drop_last=True,
        augmented=augmented_images(recipe, splits["train"], data, built),
    )
    return TrainingParts(
        source=source,
        objective=Blip2Stage1(seed),
        batch_size=recipe["batch_size"],
        examples=recipe["epochs"] * source.steps_per_epoch * recipe["batch_size"],
        facts={"raw": str(data["raw"]), "splits": {name: len(part) for name, part in splits.items()}},
    )


class Blip2Stage1:
    """The sum of the three losses.

    Parameters
    ----------
    seed
        Of the random generator of the wrong pairs.
    """

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)

    def prepare(self, model: nn.Module) -> None:
        """Check the model; its image tower is frozen already.

        Raises
        ------
        UserError
            If the model is not a BLIP2.
        """
        if not isinstance(model, Blip2):
            raise UserError("methods.yaml: blip2 trains a model of kind blip2; choose another method")

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """Return all parameters but those of the frozen tower."""
        return [(name, value) for name, value in model.named_parameters() if value.requires_grad]

    def after_update(self, model: nn.Module) -> None:
        """Do nothing: the optimiser's weights are kept."""

    def terms(self, model: Blip2, batch: Batch) -> dict[str, Tensor]:
        """Return ``loss`` and its parts ``contrast``, ``match``, ``generate`` for two or more examples."""
        image_tokens = model.visual.trunk.image_tokens(batch.images)
        similarity = similarities(model, image_tokens, batch.texts)
        parts = {
            "contrast": symmetric_cross_entropy(similarity, label_smoothing=SMOOTHING),
            "match": self._match(model, image_tokens, batch.texts, similarity.detach()),
            "generate": generate(model, image_tokens, batch.texts),
        }
        return {"loss": sum(parts.values()), **parts}

    def state_dict(self) -> dict:
        """Return the state of the generator."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state of the generator."""
        self.generator.set_state(state["generator"])

    def _match(self, model: Blip2, image_tokens: Tensor, texts: Tensor, similarity: Tensor) -> Tensor:
        wrong_texts, wrong_images = self._draw(similarity)
        logits = model.match(
            torch.cat([image_tokens, image_tokens[wrong_images], image_tokens]),
            torch.cat([texts, texts, texts[wrong_texts]]),
        )
        target = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        target[: len(image_tokens)] = 1
        return functional.cross_entropy(logits, target)

    def _draw(self, similarity: Tensor) -> Tensor:
        """Draw a wrong text for each image and a wrong image for each text, with the softmax of their
        similarities as probabilities; (2, n).
        """
        if len(similarity) < 2:
            raise UserError("blip2: a batch of one example has no wrong pairs; set a larger batch_size")
        own = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
        both = [
            side.float().masked_fill(own, -torch.inf).softmax(dim=1) for side in (similarity, similarity.T)
        ]
        # Drawn on the CPU, so that every device draws the same; one transfer for both.
        probabilities = torch.stack(both).cpu()
        drawn = [torch.multinomial(side, 1, generator=self.generator)[:, 0] for side in probabilities]
        return to_device(torch.stack(drawn), similarity.device)


def similarities(model: Blip2, image_tokens: Tensor, texts: Tensor) -> Tensor:
    """Return the cosines of each image's best query (row) and each text, over the temperature; (n, n)."""
    queries = model.embed_queries(image_tokens)
    embeddings = model.encode_text(texts, normalize=True)
    return torch.einsum("iqd,jd->ijq", queries, embeddings).amax(dim=2) / model.temp


def generate(model: Blip2, image_tokens: Tensor, texts: Tensor) -> Tensor:
    """Return the cross-entropy of every word and of the end token, each from the words before it."""
    given = texts.clone()
    given[:, 0] = model.tokens.decode
    logits = model.generate(image_tokens, given)[:, :-1]
    next_words = texts[:, 1:].masked_fill(texts[:, 1:] == model.tokens.pad, IGNORED)
    return functional.cross_entropy(
        logits.flatten(0, 1), next_words.flatten(), ignore_index=IGNORED, label_smoothing=SMOOTHING
    )
