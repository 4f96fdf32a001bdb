"""Models: towers, tokenizers, weights."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from clipfair.core.settings import SettingsModel
from clipfair.models.architectures import check_clip, check_overrides, check_siglip
from clipfair.plan.configuration.types import (
    NONE,
    PLAIN,
    CatalogueEntry,
    Count,
    Lam,
    Sha256,
    Url,
    UserPath,
    Whole,
)

Length = Annotated[int, Field(ge=2)]
Overrides = Annotated[
    dict[Literal["embed_dim", "vision_cfg", "text_cfg"], Any], AfterValidator(check_overrides)
]


class StartRun(SettingsModel):
    """Identification of the run that a model starts from."""

    dataset: str
    balance: str = NONE
    model: str
    method: str
    attr: str = NONE
    lam: Lam = "0"
    seed: Whole | None = None
    """Seed of the source run. null: the seed of the training or evaluation that starts from it, so that a
    standard deviation over seeds includes pretraining."""


class PublishedWeights(SettingsModel):
    """Weights to download."""

    url: Url
    """A .safetensors file, OpenAI's archive, or a checkpoint of torch."""
    sha256: Sha256 | None
    """SHA-256 of the file; null if it is not published."""
    licence: str | None = None
    """Licence of the weights."""
    tower: str | None = None
    """Id of the model that supplies the image tower, if these weights have none."""


class LocalWeights(SettingsModel):
    """Weights from a local file."""

    file: UserPath
    """Its path, absolute or from the working directory: a .safetensors file, OpenAI's archive, or a
    checkpoint of torch (its entry `model`, `model_state_dict` or `state_dict`, or the whole)."""
    sha256: Sha256
    """SHA-256 of the file (`sha256sum`)."""
    tower: str | None = None
    """Id of the model that supplies the image tower, if these weights have none."""


class TrainedWeights(SettingsModel):
    """Weights of another run of the study."""

    run: StartRun
    """The run that the model starts from."""


def _weights_kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return "trained" if "run" in keys else "local" if "file" in keys else "published"


Weights = Annotated[
    Annotated[PublishedWeights, Tag("published")]
    | Annotated[LocalWeights, Tag("local")]
    | Annotated[TrainedWeights, Tag("trained")],
    Discriminator(_weights_kind),
]


class TrainableModel(CatalogueEntry):
    """Settings shared by all kinds of models."""

    weights: Weights | None = None
    """Initial weights: published weights, a file, or a run of this study; null: random weights."""

    @property
    def start(self) -> StartRun | None:
        """The run that it starts from; None for published or random weights."""
        return self.weights.run if isinstance(self.weights, TrainedWeights) else None

    @property
    def published(self) -> PublishedWeights | LocalWeights | None:
        """The published or local weights that it starts from; None if there are none."""
        return None if isinstance(self.weights, TrainedWeights) else self.weights

    @property
    def vocabulary(self) -> "PublishedVocabulary | None":
        """The published vocabulary of its tokenizer; None if there is none."""
        return None


class SmallModel(TrainableModel):
    """Three convolutions and a bag of words."""

    kind: Literal["small"]
    width: Count
    """Channels of the first convolution."""
    dim: Count
    """Joint embedding dimension (r in the paper)."""
    words: str
    """Id of a word list in resources/words."""
    length: Length
    """Maximum number of words of a text, including the end token."""
    size: Annotated[int, Field(ge=16)]
    """Image size in pixels per side."""


class VitModel(TrainableModel):
    """The towers of CLIP the Bias (section 4)."""

    kind: Literal["vit"]
    vision: Annotated[str, Field(pattern=r"^[SB]/(16|32)$")]
    """Size of the image tower and its patch size in pixels."""
    text: Literal["S", "B"]
    """Size of the text tower."""
    dim: Count
    """Joint embedding dimension (r in the paper)."""
    length: Length
    """Number of tokens of a text; the last one is always the end token."""
    size: Annotated[int, Field(ge=32, multiple_of=32)]
    """Image size in pixels per side."""
    antialias: bool = False
    """Resize images with antialiasing, unlike big_vision."""
    overrides: Overrides = {}
    """Overrides of open_clip's settings of the towers: `vision_cfg` and `text_cfg`, such as `{layers: 6}`."""


class SiglipModel(TrainableModel):
    """A SigLIP model of open_clip."""

    kind: Literal["siglip"]
    architecture: Annotated[str, AfterValidator(check_siglip)]
    """Name of the architecture in open_clip."""
    length: Length
    """Number of tokens of a text; the last one is always the end token."""
    antialias: bool = False
    """Resize images with antialiasing, unlike big_vision."""
    overrides: Overrides = {}
    """Overrides of open_clip's settings of the architecture, such as `{vision_cfg: {layers: 6}}`."""


class OpenClipModel(TrainableModel):
    """A CLIP model of open_clip, with the text tower and tokenizer of OpenAI's models."""

    kind: Literal["open_clip"]
    architecture: Annotated[str, AfterValidator(check_clip)]
    """Name of the architecture in open_clip."""
    overrides: Overrides = {}
    """Overrides of open_clip's settings of the architecture, such as `{vision_cfg: {layers: 6}}`."""
    normalisation: Literal["openai", "symmetric"] = "openai"
    """Mean and standard deviation of pixels: OpenAI's; or symmetric, 0.5 each, as open_clip's ViT-L-14 of
    LAION-2B was trained."""
    resize: Literal["squash-bicubic"] | None = None
    """squash-bicubic: resize both sides of an image to the model's size, as for open_clip's DFN-5B; null:
    resize the shorter side, and crop the centre."""


class WordTokenizer(SettingsModel):
    """A tokenizer with one token per word."""

    kind: Literal["words"]
    words: str
    """Id of a word list in resources/words."""


class PublishedVocabulary(SettingsModel):
    """A vocabulary to download."""

    url: Url
    sha256: Sha256
    licence: str | None = None


class BertTokenizer(SettingsModel):
    """BERT's word pieces."""

    kind: Literal["bert"]
    vocabulary: PublishedVocabulary


# The frozen tower of BLIP2, as a plain mapping.
Tower = Annotated[SmallModel | VitModel | SiglipModel | OpenClipModel, Field(discriminator="kind"), *PLAIN]


class Blip2Model(TrainableModel):
    """BLIP2's first stage: a frozen image tower and a Q-Former (docs/fairclip-protocol.md)."""

    kind: Literal["blip2"]
    tower: Tower
    """The frozen image tower: kind and settings of a model."""
    tokens: Count | None = None
    """Number of the block of a transformer tower whose tokens are read, from 1; null for a small tower."""
    queries: Count
    """Number of learned queries that read the tokens."""
    dim: Count
    """Joint embedding dimension."""
    length: Length
    """Number of tokens of a text."""
    tokenizer: Annotated[WordTokenizer | BertTokenizer, Field(discriminator="kind")]
    qformer: dict[str, Any]
    """Arguments of transformers' Blip2QFormerConfig."""
    caption_words: Count | None = None
    """Maximum number of words after texts are processed as in LAVIS (lower case, fewer punctuation marks);
    null: texts are not processed."""
    resize: Literal["squash-bicubic"] | None = None
    """squash-bicubic: resize both sides of an image to the model's size, as in LAVIS; null: as for the
    tower."""

    @property
    def vocabulary(self) -> PublishedVocabulary | None:
        """The published vocabulary of its tokenizer; None if there is none."""
        return self.tokenizer.vocabulary if isinstance(self.tokenizer, BertTokenizer) else None


Model = Annotated[
    SmallModel | VitModel | SiglipModel | OpenClipModel | Blip2Model, Field(discriminator="kind")
]
