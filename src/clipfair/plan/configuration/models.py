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
    """The levels of the key of the run that a model starts from."""

    dataset: str
    balance: str = NONE
    model: str
    method: str
    attr: str = NONE
    lam: Lam = "0"
    seed: Whole | None = None
    """That run for every seed; null: the run of the same seed as the training or evaluation that starts from
    it, so that a standard deviation over seeds includes pretraining."""


class PublishedWeights(SettingsModel):
    """Weights to download."""

    url: Url
    """A .safetensors file, OpenAI's archive, or a checkpoint of torch."""
    sha256: Sha256 | None
    """Of the file; null if it is not published."""
    licence: str | None = None
    """Of the weights."""
    tower: str | None = None
    """Id of the model whose image tower these weights lack."""


class LocalWeights(SettingsModel):
    """Weights in a file of one's own."""

    file: UserPath
    """Its path, absolute or from the working directory: a .safetensors file, OpenAI's archive, or a
    checkpoint of torch (its entry `model`, `model_state_dict` or `state_dict`, or the whole)."""
    sha256: Sha256
    """Of the file (`sha256sum`)."""
    tower: str | None = None
    """Id of the model whose image tower these weights lack."""


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
    """What every kind of model has."""

    weights: Weights | None = None
    """What it starts from: published weights, a file, a run of this study, or null for random weights."""

    @property
    def start(self) -> StartRun | None:
        """The run that it starts from, None for published or random weights."""
        return self.weights.run if isinstance(self.weights, TrainedWeights) else None

    @property
    def published(self) -> PublishedWeights | LocalWeights | None:
        """The published weights, or those of a file, that it starts from; None if there are none."""
        return None if isinstance(self.weights, TrainedWeights) else self.weights

    @property
    def vocabulary(self) -> "PublishedVocabulary | None":
        """The published vocabulary of its tokenizer, None if there is none."""
        return None


class SmallModel(TrainableModel):
    """Three convolutions and a bag of words."""

    kind: Literal["small"]
    width: Count
    """Channels of the first convolution."""
    dim: Count
    """Representation size r."""
    words: str
    """List of words in resources/words."""
    length: Length
    """Largest number of words of a text; the last one is its end."""
    size: Annotated[int, Field(ge=16)]
    """Pixels of a side."""


class VitModel(TrainableModel):
    """The towers of CLIP the Bias (section 4)."""

    kind: Literal["vit"]
    vision: Annotated[str, Field(pattern=r"^[SB]/(16|32)$")]
    """Size of the image tower, and its patches in pixels."""
    text: Literal["S", "B"]
    """Size of the text tower."""
    dim: Count
    """Representation size r."""
    length: Length
    """Tokens of a text; the last is always its end."""
    size: Annotated[int, Field(ge=32, multiple_of=32)]
    """Pixels of a side."""
    antialias: bool = False
    """Resize images with antialiasing, unlike big_vision."""
    overrides: Overrides = {}
    """Settings of open_clip's towers that differ: `vision_cfg` and `text_cfg`, such as `{layers: 6}`."""


class SiglipModel(TrainableModel):
    """A SigLIP of open_clip."""

    kind: Literal["siglip"]
    architecture: Annotated[str, AfterValidator(check_siglip)]
    """Its name in open_clip."""
    length: Length
    """Tokens of a text; the last is always its end."""
    antialias: bool = False
    """Resize images with antialiasing, unlike big_vision."""
    overrides: Overrides = {}
    """Settings of open_clip other than the architecture's, such as `{vision_cfg: {layers: 6}}`."""


class OpenClipModel(TrainableModel):
    """A CLIP of open_clip, with the text tower and tokenizer of OpenAI's models."""

    kind: Literal["open_clip"]
    architecture: Annotated[str, AfterValidator(check_clip)]
    """Its name in open_clip."""
    overrides: Overrides = {}
    """Settings of open_clip that differ from the architecture's, such as `{vision_cfg: {layers: 6}}`."""
    normalisation: Literal["openai", "symmetric"] = "openai"
    """Mean and standard deviation of pixels: OpenAI's; or symmetric, 0.5 each, as open_clip's ViT-L-14 of
    LAION-2B was trained."""
    resize: Literal["squash-bicubic"] | None = None
    """squash-bicubic: both sides of an image to the model's size, as for open_clip's DFN-5B; null: the
    shorter side, and a centre crop."""


class WordTokenizer(SettingsModel):
    """A word is a token."""

    kind: Literal["words"]
    words: str
    """List of words in resources/words."""


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
    """The block of a transformer tower whose tokens are read, from 1; none for a small tower."""
    queries: Count
    """Learned queries that read the tokens."""
    dim: Count
    """Of the space that images and texts share."""
    length: Length
    """Tokens of a text."""
    tokenizer: Annotated[WordTokenizer | BertTokenizer, Field(discriminator="kind")]
    qformer: dict[str, Any]
    """Arguments of transformers' Blip2QFormerConfig."""
    caption_words: Count | None = None
    """Process texts as LAVIS does (lower case, fewer marks) and keep so many words; null: as they are."""
    resize: Literal["squash-bicubic"] | None = None
    """squash-bicubic: both sides of an image to the model's size, as LAVIS does; null: as the tower's."""

    @property
    def vocabulary(self) -> PublishedVocabulary | None:
        """The published vocabulary of its tokenizer, None if there is none."""
        return self.tokenizer.vocabulary if isinstance(self.tokenizer, BertTokenizer) else None


Model = Annotated[
    SmallModel | VitModel | SiglipModel | OpenClipModel | Blip2Model, Field(discriminator="kind")
]
