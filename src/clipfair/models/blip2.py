"""BLIP2's first stage (Li et al. 2023) on a frozen CLIP tower, as the FairCLIP papers probe it (section 5).

A few learned queries read the image tower's tokens through transformers' Q-Former; they share its
self-attention with texts. The model has the interface of the other models of the catalogue: its ``visual``
is a trunk (the mean over the queries: what is probed) and a head (their projection), so that it is embedded
and evaluated like CLIP. Its line::

    kind: blip2
    tower: {kind: open_clip, name: ViT-L-14-quickgelu}   # a line of its own, frozen
    tokens: 23              # after which of the tower's blocks; of a small tower it is its map
    queries: 32
    dim: 256                # of the shared space
    qformer: {hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072,
              cross_attention_frequency: 2, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1}
    length: 32              # of a text, in tokens
    tokenizer: {kind: bert, vocabulary: <vocab.txt of bert-base-uncased>}   # or {kind: words, words: <list>}

Weights are all of its own in one .safetensors, under our names or those of the published checkpoint; or
those of a CLIP, whose image tower is then taken and the rest is random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.models import tokenizers
from clipfair.models.build import build
from clipfair.models.interface import Built

TEMPERATURE = 0.07
OF_A_WHOLE_MODEL = "visual.trunk."
OF_THE_ORIGINAL = "query_tokens"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that the losses know: how many there are, and the places of the special ones.

    A text is ``start``, its words, ``end``, filled up with ``pad``; one that is generated begins with
    ``decode`` in place of ``start``.
    """

    size: int
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
        open_clip's VisionTransformer, or a small tower, whose map is a grid of tokens.
    after
        The block of a transformer, counted from 1; None of a small tower.

    Raises
    ------
    UserError
        If the tower is neither, or has not so many blocks.
    """

    def __init__(self, tower: nn.Module, after: int | None):
        super().__init__()
        self.tower, self.after = tower.requires_grad_(False), after
        if hasattr(tower, "forward_intermediates") and hasattr(tower, "transformer"):
            blocks = tower.transformer.layers
            if after is None or not 1 <= after <= blocks:
                raise UserError(f"config.models: blip2: tokens: {after}; expected a block from 1 to {blocks}")
            self.see, width = self._see_blocks, tower.transformer.width
        elif hasattr(tower, "patches"):
            self.see, width = self._see_map, tower.second.out_channels
        else:
            name = type(tower).__name__
            raise UserError(f"config.models: blip2: tower: {name} gives no tokens; take a vision transformer")
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, t, width)."""
        with torch.no_grad():
            seen = self.see(pixels)
        return self.norm(seen)

    def train(self, mode: bool = True) -> "ImageTokens":
        """The tower stays in evaluation mode."""
        super().train(mode)
        self.tower.eval()
        return self

    def _see_blocks(self, pixels: Tensor) -> Tensor:
        found = self.tower.forward_intermediates(
            pixels,
            indices=[self.after - 1],
            stop_early=True,
            intermediates_only=True,
            output_fmt="NLC",
            output_extra_tokens=True,
        )
        return torch.cat([*found["image_intermediates_prefix"], *found["image_intermediates"]], dim=1)

    def _see_map(self, pixels: Tensor) -> Tensor:
        seen = self.tower.patches(pixels)
        for layer in (self.tower.first, self.tower.second):
            seen = layer(functional.relu(seen))
        return functional.relu(seen).flatten(2).transpose(1, 2)


class Trunk(nn.Module):
    """Queries that read the tokens of an image."""

    def __init__(self, image_tokens: ImageTokens, qformer: nn.Module, queries: int, deviation: float):
        super().__init__()
        self.image_tokens, self.qformer = image_tokens, qformer
        self.queries = nn.Parameter(torch.randn(1, queries, qformer.config.hidden_size) * deviation)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, hidden): the mean over the queries."""
        return self.read(self.image_tokens(pixels)).mean(dim=1)

    def read(self, seen: Tensor) -> Tensor:
        """Tokens (n, t, width) -> what each query makes of them (n, queries, hidden)."""
        queries = self.queries.expand(len(seen), -1, -1)
        return self.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state


class Visual(nn.Module):
    """A trunk and a head, as open_clip wraps timm's towers."""

    def __init__(self, trunk: Trunk, dim: int):
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.queries.shape[2], dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, dim)."""
        return self.head(self.trunk(pixels))


class WordHead(nn.Module):
    """Hidden states to words, with the words' own embeddings (BERT's)."""

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
    """The Q-Former of stage 1 with what its three losses need.

    ``temp`` is BLIP2's temperature itself, as it is trained there; ``logit_scale`` is what the others have.
    """

    logit_bias = None

    def __init__(self, visual: Visual, embeddings: nn.Module, dim: int, vocabulary: Vocabulary):
        super().__init__()
        qformer = visual.trunk.qformer
        hidden = qformer.config.hidden_size
        self.vocabulary = vocabulary
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
        seen = self.visual(images)
        return functional.normalize(seen, dim=-1) if normalize else seen

    def encode_text(self, texts: Tensor, normalize: bool = False) -> Tensor:
        """(n, length) -> (n, dim): the projection of the first token."""
        hidden = self.visual.trunk.qformer(
            query_embeds=self.embeddings(input_ids=texts), query_length=0, attention_mask=self._words(texts)
        ).last_hidden_state
        read = self.text_head(hidden[:, 0])
        return functional.normalize(read, dim=-1) if normalize else read

    def match(self, seen: Tensor, texts: Tensor) -> Tensor:
        """Whether texts are those of images, all reading all: logits (n, 2) of no and yes.

        ``seen`` are the images' tokens (n, t, width), ``texts`` (n, length).
        """
        words = self._words(texts)
        ones = words.new_ones(len(texts), self._queries)
        hidden = self._joint(seen, texts, attention_mask=torch.cat([ones, words], dim=1))
        return self.match_head(hidden[:, : self._queries]).mean(dim=1)

    def generate(self, seen: Tensor, texts: Tensor) -> Tensor:
        """Logits of the next word (n, length, vocabulary): words read the queries and what is before them."""
        length = texts.shape[1]
        may_read = torch.ones(self._queries + length, self._queries + length, device=texts.device).tril() > 0
        may_read[: self._queries, : self._queries] = True
        present = functional.pad(self._words(texts) > 0, (self._queries, 0), value=True)
        mask = may_read & present[:, None, None, :]
        hidden = self._joint(seen, texts, attention_mask=mask)
        return self.word_head(hidden[:, self._queries :], self.embeddings.word_embeddings)

    def load_state_dict(self, state: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
        """Its own state; that of the original code; or that of a CLIP, of which the image tower is taken."""
        if OF_THE_ORIGINAL in state:
            state = rename_original(state)
        if any(name.startswith(OF_A_WHOLE_MODEL) for name in state):
            return super().load_state_dict(state, *args, **kwargs)
        tower = {
            name.removeprefix("visual."): value for name, value in state.items() if name.startswith("visual.")
        }
        return self.visual.trunk.image_tokens.tower.load_state_dict(tower, *args, **kwargs)

    @property
    def _queries(self) -> int:
        return self.visual.trunk.queries.shape[1]

    def _words(self, texts: Tensor) -> Tensor:
        return (texts != self.vocabulary.pad).long()

    def _joint(self, seen: Tensor, texts: Tensor, *, attention_mask: Tensor) -> Tensor:
        queries = self.visual.trunk.queries.expand(len(texts), -1, -1)
        return self.visual.trunk.qformer(
            query_embeds=self.embeddings(input_ids=texts, query_embeds=queries),
            query_length=self._queries,
            attention_mask=attention_mask,
            encoder_hidden_states=seen,
        ).last_hidden_state


def build_blip2(line: Mapping) -> Built:
    """The model of a line (above), its tower random too, with what its inputs are made with.

    Raises
    ------
    UserError
        As :func:`make_blip2`.
    """
    tower = build(line["tower"], None, 0)
    model, tokenizer = make_blip2(line, tower.model.visual)
    return replace(tower, model=model, tokenizer=tokenizer)


def make_blip2(line: Mapping, tower: nn.Module) -> tuple[Blip2, tokenizers.Tokenizer]:
    """The model of a line (above) on an image tower, and its tokenizer; random but for the tower.

    Raises
    ------
    UserError
        If the tower gives no tokens, or there is no such vocabulary.
    """
    # Late: transformers is imported for this model alone, and takes seconds.
    from transformers import Blip2QFormerConfig
    from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel, Blip2TextEmbeddings

    tokenizer, vocabulary = make_tokenizer(line["tokenizer"], line["length"])
    image_tokens = ImageTokens(tower, line.get("tokens"))
    config = Blip2QFormerConfig(
        vocab_size=vocabulary.size,
        pad_token_id=vocabulary.pad,
        encoder_hidden_size=image_tokens.norm.normalized_shape[0],
        use_qformer_text_input=True,
        **line["qformer"],
    )
    embeddings = Blip2TextEmbeddings(config)
    nn.init.normal_(embeddings.word_embeddings.weight, std=config.initializer_range)
    nn.init.normal_(embeddings.position_embeddings.weight, std=config.initializer_range)
    trunk = Trunk(image_tokens, Blip2QFormerModel(config), line["queries"], config.initializer_range)
    return Blip2(Visual(trunk, line["dim"]), embeddings, line["dim"], vocabulary), tokenizer


# --- texts ------------------------------------------------------------------------------------


def make_tokenizer(line: Mapping, length: int) -> tuple[tokenizers.Tokenizer, Vocabulary]:
    """The tokenizer of a line and what it knows.

    Raises
    ------
    UserError
        If its words are not there.
    """
    if line["kind"] == "bert":
        return _bert_tokenizer(line["vocabulary"], length)
    return _word_tokenizer(line["words"], length)


def _bert_tokenizer(path: str, length: int) -> tuple[tokenizers.Tokenizer, Vocabulary]:
    """BERT's word pieces, lower case, and one token more that begins what is generated."""
    if not Path(path).is_file():
        raise UserError(
            f"{path}: no such vocabulary; put the vocab.txt of bert-base-uncased there, "
            "or name it in config.models (tokenizer: {kind: bert, vocabulary: <path>})"
        )
    from transformers import BertTokenizer

    pieces = BertTokenizer(vocab=path)
    pieces.add_special_tokens({"bos_token": "[DEC]"})

    def tokenize(texts: Sequence[str]) -> Tensor:
        found = pieces(list(texts), padding="max_length", truncation=True, max_length=length)
        return torch.tensor(found["input_ids"], dtype=torch.long)

    special = {"start": pieces.cls_token_id, "end": pieces.sep_token_id, "decode": pieces.bos_token_id}
    return tokenize, Vocabulary(size=len(pieces), pad=pieces.pad_token_id, **special)


def _word_tokenizer(name: str, length: int) -> tuple[tokenizers.Tokenizer, Vocabulary]:
    """One token a word of a list, 0 where there is none; after the words the special tokens."""
    words = len(tokenizers.read_words(name))
    plain = tokenizers.word_tokenizer(name, length - 1)  # the last of them is an end already
    vocabulary = Vocabulary(size=words + 4, pad=0, start=words + 1, end=words + 2, decode=words + 3)

    def tokenize(texts: Sequence[str]) -> Tensor:
        rows = functional.pad(plain(texts), (1, 0), value=vocabulary.start)
        ends = (rows != vocabulary.pad).sum(dim=1)
        rows[torch.arange(len(rows)), ends] = vocabulary.end
        return rows

    return tokenize, vocabulary


# --- the published checkpoint -----------------------------------------------------------------


def rename_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the original code (LAVIS) under our names, its image tower's among them."""
    return {_rename(name): value for name, value in state.items() if not _is_idle(name)}


_TOWER = "visual.trunk.image_tokens.tower."
# The original's name, or the part of it -> ours.
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
    for theirs, ours in _NAMES:
        if name.startswith(theirs):
            return (ours + name.removeprefix(theirs)).replace("attention.self.", "attention.attention.")
    return name


def _is_idle(name: str) -> bool:
    """What has no weight of its own: numbers of places, and the words' embeddings a second time."""
    return name.endswith("position_ids") or name.startswith("Qformer.cls.predictions.decoder.")
