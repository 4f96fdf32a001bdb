"""BLIP2's first stage (Li et al. 2023) on a frozen CLIP tower, as the FairCLIP papers probe it.

A few learned queries attend to the image tower's tokens through transformers' Q-Former; they share its
self-attention with texts. The model has the interface of the other models: its ``visual`` is a trunk (the
mean over the queries, which the linear probe uses) and a head (their projection), so that it is embedded and
evaluated like CLIP. See docs/fairclip-protocol.md, section 5. Its entry in the catalogue::

    kind: blip2
    tower: {kind: open_clip, name: ViT-L-14-quickgelu}   # an entry of its own, frozen
    tokens: 23              # the tower's block whose output is used; not for a small tower
    queries: 32
    dim: 256                # of the shared space
    qformer: {hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072,
              cross_attention_frequency: 2, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1}
    length: 32              # of a text, in tokens
    tokenizer: {kind: bert, vocabulary: <vocab.txt of bert-base-uncased>}   # or {kind: words, words: <list>}
    caption_words: 50       # process texts as LAVIS's BlipCaptionProcessor; omitted: texts as they are
    resize: squash-bicubic  # images as LAVIS's BlipImageEvalProcessor; omitted: as the tower's

Weights are a .safetensors with all weights of the model, under our names or those of the published
checkpoint; or the weights of a CLIP, of which only the image tower is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.data.captions import blip_caption
from clipfair.models import tokenizers

TEMPERATURE = 0.07
OUR_PREFIX = "visual.trunk."  # a name in weights of this model
ORIGINAL_NAME = "query_tokens"  # a name in weights of the original code


@dataclass(frozen=True)
class SpecialTokens:
    """The special tokens of a tokenizer, and the size of its vocabulary.

    A text is ``start``, its words, ``end``, padded with ``pad``. A generated text begins with ``decode``
    instead of ``start``.
    """

    vocabulary_size: int
    pad: int
    start: int
    end: int
    decode: int


# --- the model --------------------------------------------------------------------------------


class ImageTokens(nn.Module):
    """The tokens of a frozen image tower, normalised by a trained layer norm.

    Parameters
    ----------
    tower
        open_clip's VisionTransformer, or a small tower, whose feature map is a grid of tokens.
    after
        The block of a transformer, counted from 1; None for a small tower.

    Raises
    ------
    UserError
        If the tower is neither, or has fewer blocks.
    """

    def __init__(self, tower: nn.Module, after: int | None):
        super().__init__()
        self.tower, self.after = tower.requires_grad_(False), after
        if hasattr(tower, "forward_intermediates") and hasattr(tower, "transformer"):
            blocks = tower.transformer.layers
            if after is None or not 1 <= after <= blocks:
                raise UserError(f"config.models: blip2: tokens: {after}; expected a block from 1 to {blocks}")
            self.tokens_of, width = self._block_tokens, tower.transformer.width
        elif hasattr(tower, "patches"):
            self.tokens_of, width = self._map_tokens, tower.second.out_channels
        else:
            name = type(tower).__name__
            raise UserError(f"config.models: blip2: tower: {name} has no tokens; choose a vision transformer")
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, t, width)."""
        with torch.no_grad():
            tokens = self.tokens_of(pixels)
        return self.norm(tokens)

    def train(self, mode: bool = True) -> "ImageTokens":
        """Set the mode; the tower stays in evaluation mode."""
        super().train(mode)
        self.tower.eval()
        return self

    def _block_tokens(self, pixels: Tensor) -> Tensor:
        found = self.tower.forward_intermediates(
            pixels,
            indices=[self.after - 1],
            stop_early=True,
            intermediates_only=True,
            output_fmt="NLC",
            output_extra_tokens=True,
        )
        return torch.cat([*found["image_intermediates_prefix"], *found["image_intermediates"]], dim=1)

    def _map_tokens(self, pixels: Tensor) -> Tensor:
        maps = self.tower.patches(pixels)
        for layer in (self.tower.first, self.tower.second):
            maps = layer(functional.relu(maps))
        return functional.relu(maps).flatten(2).transpose(1, 2)


class Trunk(nn.Module):
    """Queries that attend to the tokens of an image."""

    def __init__(self, image_tokens: ImageTokens, qformer: nn.Module, queries: int, deviation: float):
        super().__init__()
        self.image_tokens, self.qformer = image_tokens, qformer
        self.queries = nn.Parameter(torch.randn(1, queries, qformer.config.hidden_size) * deviation)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, hidden): the mean over the queries."""
        return self.read(self.image_tokens(pixels)).mean(dim=1)

    def read(self, image_tokens: Tensor) -> Tensor:
        """Image tokens (n, t, width) -> hidden states of the queries (n, queries, hidden)."""
        queries = self.queries.expand(len(image_tokens), -1, -1)
        return self.qformer(query_embeds=queries, encoder_hidden_states=image_tokens).last_hidden_state


class TrunkWithHead(nn.Module):
    """A trunk and a projection, with the names of open_clip's wrapper of timm towers."""

    def __init__(self, trunk: Trunk, dim: int):
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.queries.shape[2], dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, dim)."""
        return self.head(self.trunk(pixels))


class WordHead(nn.Module):
    """BERT's head: hidden states to words, with the word embeddings as the last layer."""

    def __init__(self, config: Any, words: nn.Embedding):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(words.num_embeddings))

    def forward(self, hidden: Tensor, words: nn.Embedding) -> Tensor:
        """(..., hidden) -> (..., vocabulary)."""
        transformed = self.norm(functional.gelu(self.dense(hidden)))
        return functional.linear(transformed, words.weight, self.bias)


class Blip2(nn.Module):
    """The Q-Former of the first stage, with the heads of its three losses.

    ``temp`` is BLIP2's trained temperature; ``logit_scale`` is derived from it for the common interface.
    """

    logit_bias = None

    def __init__(self, visual: TrunkWithHead, embeddings: nn.Module, dim: int, tokens: SpecialTokens):
        super().__init__()
        qformer = visual.trunk.qformer
        hidden = qformer.config.hidden_size
        self.tokens = tokens
        self.visual, self.embeddings = visual, embeddings
        self.text_head = nn.Linear(hidden, dim)
        self.match_head = nn.Linear(hidden, 2)
        self.word_head = WordHead(qformer.config, embeddings.word_embeddings)
        self.temp = nn.Parameter(torch.tensor(TEMPERATURE))

    @property
    def logit_scale(self) -> Tensor:
        """-log(temp)."""
        return -self.temp.log()

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """(n, 3, H, W) -> (n, dim): the projection of the mean over the queries."""
        embedded = self.visual(images)
        return functional.normalize(embedded, dim=-1) if normalize else embedded

    def encode_text(self, texts: Tensor, normalize: bool = False) -> Tensor:
        """(n, length) -> (n, dim): the projection of the first token."""
        hidden = self.visual.trunk.qformer(
            query_embeds=self.embeddings(input_ids=texts), query_length=0, attention_mask=self._words(texts)
        ).last_hidden_state
        embedded = self.text_head(hidden[:, 0])
        return functional.normalize(embedded, dim=-1) if normalize else embedded

    def embed_queries(self, image_tokens: Tensor) -> Tensor:
        """Image tokens (n, t, width) -> projections of the queries, of unit length (n, queries, dim)."""
        return functional.normalize(self.visual.head(self.visual.trunk.read(image_tokens)), dim=-1)

    def match(self, image_tokens: Tensor, texts: Tensor) -> Tensor:
        """Return logits (n, 2) that a text does not match, or matches, its image; full self-attention.

        ``image_tokens`` are (n, t, width), ``texts`` (n, length).
        """
        words = self._words(texts)
        ones = words.new_ones(len(texts), self._queries)
        hidden = self._joint(image_tokens, texts, attention_mask=torch.cat([ones, words], dim=1))
        return self.match_head(hidden[:, : self._queries]).mean(dim=1)

    def generate(self, image_tokens: Tensor, texts: Tensor) -> Tensor:
        """Return logits (n, length, vocabulary) of the next word, given the queries and earlier words."""
        length = texts.shape[1]
        attended = torch.ones(self._queries + length, self._queries + length, device=texts.device).tril() > 0
        attended[: self._queries, : self._queries] = True
        present = functional.pad(self._words(texts) > 0, (self._queries, 0), value=True)
        mask = attended & present[:, None, None, :]
        hidden = self._joint(image_tokens, texts, attention_mask=mask)
        return self.word_head(hidden[:, self._queries :], self.embeddings.word_embeddings)

    def load_state_dict(self, state: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
        """Load a state of this model or of the original code; from that of a CLIP, load the image tower."""
        if ORIGINAL_NAME in state:
            state = rename_original(state)
        if any(name.startswith(OUR_PREFIX) for name in state):
            return super().load_state_dict(state, *args, **kwargs)
        tower = {
            name.removeprefix("visual."): value for name, value in state.items() if name.startswith("visual.")
        }
        return self.visual.trunk.image_tokens.tower.load_state_dict(tower, *args, **kwargs)

    @property
    def _queries(self) -> int:
        return self.visual.trunk.queries.shape[1]

    def _words(self, texts: Tensor) -> Tensor:
        return (texts != self.tokens.pad).long()

    def _joint(self, image_tokens: Tensor, texts: Tensor, *, attention_mask: Tensor) -> Tensor:
        queries = self.visual.trunk.queries.expand(len(texts), -1, -1)
        return self.visual.trunk.qformer(
            query_embeds=self.embeddings(input_ids=texts, query_embeds=queries),
            query_length=self._queries,
            attention_mask=attention_mask,
            encoder_hidden_states=image_tokens,
        ).last_hidden_state


def make_blip2(entry: Mapping, tower: nn.Module) -> tuple[Blip2, tokenizers.Tokenizer]:
    """Return the model of an entry (above) on an image tower, with random weights, and its tokenizer.

    Raises
    ------
    UserError
        If the tower has no tokens, or there is no such vocabulary.
    """
    # Imported here, because transformers takes seconds and only this model needs it.
    from transformers import Blip2QFormerConfig
    from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel, Blip2TextEmbeddings

    tokenizer, tokens = make_tokenizer(entry["tokenizer"], entry["length"])
    if entry.get("caption_words") is not None:
        tokenizer = processed_captions(tokenizer, entry["caption_words"])
    image_tokens = ImageTokens(tower, entry.get("tokens"))
    config = Blip2QFormerConfig(
        vocab_size=tokens.vocabulary_size,
        pad_token_id=tokens.pad,
        encoder_hidden_size=image_tokens.norm.normalized_shape[0],
        use_qformer_text_input=True,
        **entry["qformer"],
    )
    embeddings = Blip2TextEmbeddings(config)
    nn.init.normal_(embeddings.word_embeddings.weight, std=config.initializer_range)
    nn.init.normal_(embeddings.position_embeddings.weight, std=config.initializer_range)
    trunk = Trunk(image_tokens, Blip2QFormerModel(config), entry["queries"], config.initializer_range)
    return Blip2(TrunkWithHead(trunk, entry["dim"]), embeddings, entry["dim"], tokens), tokenizer


# --- texts ------------------------------------------------------------------------------------


def make_tokenizer(entry: Mapping, length: int) -> tuple[tokenizers.Tokenizer, SpecialTokens]:
    """Return the tokenizer of an entry, for texts of ``length`` tokens, and its special tokens.

    Raises
    ------
    UserError
        If there is no such vocabulary or word list.
    """
    if entry["kind"] == "bert":
        return _bert_tokenizer(entry["vocabulary"], length)
    return _word_tokenizer(entry["words"], length)


def processed_captions(tokenizer: tokenizers.Tokenizer, max_words: int) -> tokenizers.Tokenizer:
    """Return a tokenizer of texts that are processed first (:func:`clipfair.data.captions.blip_caption`)."""

    def tokenize(texts: Sequence[str]) -> Tensor:
        return tokenizer([blip_caption(text, max_words) for text in texts])

    tokenize.word_list = getattr(tokenizer, "word_list", None)
    return tokenize


def _bert_tokenizer(path: str, length: int) -> tuple[tokenizers.Tokenizer, SpecialTokens]:
    """Return BERT's tokenizer, in lower case, with an additional token that begins a generated text."""
    if not Path(path).is_file():
        raise UserError(
            f"{path}: no such vocabulary; copy the vocab.txt of bert-base-uncased there, "
            "or set its path in config.models (tokenizer: {kind: bert, vocabulary: <path>})"
        )
    from transformers import BertTokenizer

    pieces = BertTokenizer(vocab=path)
    pieces.add_special_tokens({"bos_token": "[DEC]"})

    def tokenize(texts: Sequence[str]) -> Tensor:
        found = pieces(list(texts), padding="max_length", truncation=True, max_length=length)
        return torch.tensor(found["input_ids"], dtype=torch.long)

    special = {"start": pieces.cls_token_id, "end": pieces.sep_token_id, "decode": pieces.bos_token_id}
    return tokenize, SpecialTokens(vocabulary_size=len(pieces), pad=pieces.pad_token_id, **special)


def _word_tokenizer(name: str, length: int) -> tuple[tokenizers.Tokenizer, SpecialTokens]:
    """Return a tokenizer of a word list; 0 is the padding, and the special tokens follow the words."""
    words = len(tokenizers.read_words(name))
    plain = tokenizers.WordListTokenizer(name, length - 1)  # its last token is an end token
    special = SpecialTokens(words + 4, pad=0, start=words + 1, end=words + 2, decode=words + 3)

    def tokenize(texts: Sequence[str]) -> Tensor:
        rows = functional.pad(plain(texts), (1, 0), value=special.start)
        ends = (rows != special.pad).sum(dim=1)
        rows[torch.arange(len(rows)), ends] = special.end
        return rows

    tokenize.word_list = plain
    return tokenize, special


# --- the published checkpoint -----------------------------------------------------------------


def rename_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the original code (LAVIS), including its image tower."""
    return {_rename(name): value for name, value in state.items() if not _is_redundant(name)}


_TOWER = "visual.trunk.image_tokens.tower."
# Prefix of a name in the original -> ours.
_NAMES = (
    ("visual_encoder.", _TOWER),
    ("ln_vision.", "visual.trunk.image_tokens.norm."),
    ("query_tokens", "visual.trunk.queries"),
    ("Qformer.bert.embeddings.word_embeddings.", "embeddings.word_embeddings."),
    ("Qformer.bert.embeddings.position_embeddings.", "embeddings.position_embeddings."),
    ("Qformer.bert.embeddings.LayerNorm.", "visual.trunk.qformer.layernorm."),
    ("Qformer.bert.", "visual.trunk.qformer."),
    ("Qformer.cls.predictions.transform.dense.", "word_head.dense."),
    ("Qformer.cls.predictions.transform.LayerNorm.", "word_head.norm."),
    ("Qformer.cls.predictions.bias", "word_head.bias"),
    ("vision_proj.", "visual.head."),
    ("text_proj.", "text_head."),
    ("itm_head.", "match_head."),
)


def _rename(name: str) -> str:
    for original, ours in _NAMES:
        if name.startswith(original):
            return (ours + name.removeprefix(original)).replace("attention.self.", "attention.attention.")
    return name


def _is_redundant(name: str) -> bool:
    """Return True for position numbers, and for the second copy of the word embeddings."""
    return name.endswith("position_ids") or name.startswith("Qformer.cls.predictions.decoder.")
