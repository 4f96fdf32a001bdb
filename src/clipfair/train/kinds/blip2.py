"""BLIP2's first stage (Li et al. 2023, section 3.2): pictures with texts, the sum of three losses.

- contrast: an image's similarity to a text is that of its best query; cross-entropy both ways over the
  batch, labels smoothed by 0.1;
- match: whether a text is the image's, of each pair and of two that are wrong, an image and a text drawn
  from the batch the more often the more similar they are;
- generate: each word of the text after the image's queries and the words before it, labels smoothed by 0.1.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.models.blip2 import Blip2
from clipfair.models.interface import Built
from clipfair.train.finetuning.batches import FairBatches
from clipfair.train.finetuning.examples import read_splits
from clipfair.train.order import check_size
from clipfair.train.protocols import Batch, Parts, Place

SMOOTHING = 0.1
IGNORED = -100


def make_parts(
    settings: Mapping, data: Mapping, built: Built, *, place: Place, out: Mapping[str, str], scratch: str
) -> Parts:
    """What the loop needs for the first stage.

    The recipe has ``batch_size``, ``epochs`` and what :mod:`~.examples` reads; batches are full
    ones. There is no choice among the epochs: the last is kept, as in the papers.

    Raises
    ------
    UserError
        If there are fewer examples than a batch, or the data are not as the recipe says.
    """
    recipe, seed = settings["recipe"], settings["run"]["seed"]
    if place.world > 1:
        raise UserError("config.recipes: blip2 draws wrong pairs from its own batch; set gpus to 1 or 0")
    splits = read_splits(recipe, data, built, subsample=None, seed=seed, cache=data.get("cache", scratch))
    check_size("the train split", len(splits["train"]), recipe["batch_size"])
    source = FairBatches(
        splits["train"],
        built,
        [],
        batch_size=recipe["batch_size"],
        group_batch_size=recipe["batch_size"],
        seed=seed,
        drop_last=True,
    )
    return Parts(
        source=source,
        objective=Blip2Stage1(seed),
        batch_size=recipe["batch_size"],
        examples=recipe["epochs"] * source.steps_per_epoch * recipe["batch_size"],
        facts={"raw": str(data["raw"]), "splits": {name: len(part) for name, part in splits.items()}},
    )


class Blip2Stage1:
    """All three losses of a batch.

    Parameters
    ----------
    seed
        Of the generator that draws wrong pairs.
    """

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)

    def prepare(self, model: nn.Module) -> None:
        """Nothing: the image tower is frozen already.

        Raises
        ------
        UserError
            If the model is not a BLIP2.
        """
        if not isinstance(model, Blip2):
            raise UserError("config.methods: blip2 trains a model of kind blip2; choose another method")

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """All but the frozen tower's."""
        return [(name, value) for name, value in model.named_parameters() if value.requires_grad]

    def terms(self, model: Blip2, batch: Batch) -> dict[str, Tensor]:
        """``loss`` and its parts ``contrast``, ``match``, ``generate``; of two examples or more."""
        seen = model.visual.trunk.image_tokens(batch.images)
        similarity = similarities(model, seen, batch.texts)
        found = {
            "contrast": contrast(similarity),
            "match": self._match(model, seen, batch.texts, similarity.detach()),
            "generate": generate(model, seen, batch.texts),
        }
        return {"loss": sum(found.values()), **found}

    def state_dict(self) -> dict:
        """The generator's."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore it."""
        self.generator.set_state(state["generator"])

    def _match(self, model: Blip2, seen: Tensor, texts: Tensor, similarity: Tensor) -> Tensor:
        wrong_texts = self._draw(similarity)
        wrong_images = self._draw(similarity.T)
        logits = model.match(
            torch.cat([seen, seen[wrong_images], seen]), torch.cat([texts, texts, texts[wrong_texts]])
        )
        right = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        right[: len(seen)] = 1
        return functional.cross_entropy(logits, right)

    def _draw(self, similarity: Tensor) -> Tensor:
        """For each row another column than its own, by the softmax of the row; (n,)."""
        if len(similarity) < 2:
            raise UserError("blip2: a batch of one example has no wrong pairs; set a larger batch_size")
        itself = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
        chances = similarity.float().masked_fill(itself, -torch.inf).softmax(dim=1)
        # Drawn on the CPU, so that every device draws the same.
        drawn = torch.multinomial(chances.cpu(), 1, generator=self.generator)[:, 0]
        return drawn.to(similarity.device)


def similarities(model: Blip2, seen: Tensor, texts: Tensor) -> Tensor:
    """Of each image and text, the best query's cosine over the temperature; (n, n), images are rows."""
    queries = functional.normalize(model.visual.head(model.visual.trunk.read(seen)), dim=-1)
    read = model.encode_text(texts, normalize=True)
    return torch.einsum("iqd,jd->ijq", queries, read).amax(dim=2) / model.temp


def contrast(similarity: Tensor) -> Tensor:
    """Cross-entropy of rows and of columns, their mean."""
    own = torch.arange(len(similarity), device=similarity.device)
    losses = [
        functional.cross_entropy(logits, own, label_smoothing=SMOOTHING)
        for logits in (similarity, similarity.T)
    ]
    return sum(losses) / 2


def generate(model: Blip2, seen: Tensor, texts: Tensor) -> Tensor:
    """Cross-entropy of every word and of the end, each after what stands before it."""
    given = texts.clone()
    given[:, 0] = model.vocabulary.decode
    logits = model.generate(seen, given)[:, :-1]
    next_words = texts[:, 1:].masked_fill(texts[:, 1:] == model.vocabulary.pad, IGNORED)
    return functional.cross_entropy(
        logits.flatten(0, 1), next_words.flatten(), ignore_index=IGNORED, label_smoothing=SMOOTHING
    )
