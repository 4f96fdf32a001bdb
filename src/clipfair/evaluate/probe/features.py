"""The features of a frozen model that a probe of images reads (docs/fairclip-protocol.md, section 5)."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.data.captions import blip_caption, truncate
from clipfair.models.interface import BuiltModel
from clipfair.models.placement import to_device

AT_ONCE = 64

# Feature -> how the hidden states of BLIP2's queries, (n, queries, hidden), become features.
QUERIES: dict[str, Callable[[Tensor], Tensor]] = {
    "first-query": lambda states: states[:, 0],
    "max-query": lambda states: states.amax(dim=1),
    "all-queries": lambda states: states.flatten(1),
}


def extractor(model: nn.Module, feature: str) -> Callable[[Tensor], Tensor]:
    """The function from prepared images to a feature.

    ``embedding`` is the output of the image tower, ``pre-logits`` the input of its head (of BLIP2: the mean
    over its queries); ``first-query``, ``max-query`` and ``all-queries`` are the other readings of BLIP2.

    Raises
    ------
    UserError
        If the model does not have the feature.
    """
    trunk = getattr(model.visual, "trunk", None)
    if feature == "embedding":
        return model.encode_image
    if feature == "pre-logits" and trunk is not None:
        return trunk
    if feature in QUERIES and hasattr(trunk, "read"):
        return lambda images: QUERIES[feature](trunk.read(trunk.image_tokens(images)))
    raise UserError(
        f"linear_probe: the model has no feature {feature!r}; set feature: embedding in the configuration"
    )


def text_features(built: BuiltModel, texts: list[str], *, device: str) -> Tensor:
    """The output of the text tower, not normalised; (n, r) float32."""
    with torch.inference_mode():
        parts = [
            built.model.encode_text(to_device(tokens, device)).float()
            for tokens in built.tokenizer(texts).split(AT_ONCE)
        ]
    return torch.cat(parts).clone()


def own_texts(table: pd.DataFrame, settings: Mapping) -> list[str] | None:
    """The text of each row that is a feature besides the image; None without ``captions``.

    ``caption_words`` processes the texts (:func:`clipfair.data.captions.blip_caption`), then
    ``max_characters`` cuts them, as in the released multimodal probe.
    """
    if "captions" not in settings:
        return None
    words, most = settings.get("caption_words"), settings.get("max_characters")
    texts = [captions[0] for captions in table["captions"]]
    texts = texts if words is None else [blip_caption(text, words) for text in texts]
    return texts if most is None else [truncate(text, most) for text in texts]


def best_query_probability(built: BuiltModel, images: Tensor, prompts: Tensor) -> Tensor:
    """BLIP2's zero-shot probability of the second prompt: the similarity is that of the best query; (n,).

    Parameters
    ----------
    images
        (n, 3, H, W), normalised for the model.
    prompts
        (2, length) tokens.

    Raises
    ------
    UserError
        If the model has no queries.
    """
    model = built.model
    if not hasattr(model, "embed_queries"):
        raise UserError("linear_probe: head: best-query needs a model of kind blip2; choose another head")
    queries = model.embed_queries(model.visual.trunk.image_tokens(images))
    texts = model.encode_text(prompts, normalize=True)
    similarity = torch.einsum("iqd,jd->ijq", queries, texts).amax(dim=2) / model.temp
    return functional.softmax(similarity.double(), dim=1)[:, 1]


@contextlib.contextmanager
def active_dropout(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Run the model in training mode, as the released probe does; the generator seeds the dropout.

    For BLIP2 this activates the dropout of the Q-Former; its image tower stays in evaluation mode.
    """
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.train()
        try:
            yield
        finally:
            model.eval()
