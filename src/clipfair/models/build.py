"""Models from their line of the catalogue: the two towers, the tokenizer, how a picture is prepared.

Five kinds. ``vit``: the paper's towers (section 3 of CLIP the Bias), of open_clip. ``siglip``: SigLIP's,
with its pooling by attention. ``open_clip``: what OpenAI published, by open_clip's name. ``small``:
:mod:`clipfair.models.small_clip`. ``blip2``: :mod:`clipfair.models.blip2`, on a tower of the others. What
the paper leaves open is chosen and reasoned in docs/training.md.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError
from clipfair.core.schema import unknown
from clipfair.models import tokenizers
from clipfair.models.interface import Built, pixels_of

if TYPE_CHECKING:
    from PIL.Image import Image

# Width, heads; both have 12 layers and MLPs four times as wide (section 4).
SIZES = {"S": (384, 6), "B": (768, 12)}
LAYERS = 12
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SYMMETRIC = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # [0, 1] -> [-1, 1] (Appendix A.4)


def build(line: Mapping, weights: str | None, seed: int) -> Built:
    """The model of a line of the catalogue.

    Parameters
    ----------
    line
        ``kind`` and its settings; ``weights`` in it is not read.
    weights
        A .safetensors with all of its weights; None for random ones.
    seed
        Of the random ones. The same seed gives the same weights, whatever was drawn before.

    Raises
    ------
    UserError
        If the line names what does not exist, or the weights are another model's.
    """
    if line["kind"] not in _KINDS:
        raise UserError(f"config.models: {unknown('kind', line['kind'], _KINDS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = _KINDS[line["kind"]](line)
    if weights is not None:
        load_weights(built.model, weights)
    return built


def load_weights(model: nn.Module, path: str) -> None:
    """Put the weights of a file into a model; a bias of the logits is added if the file has one.

    Raises
    ------
    UserError
        If they are not all of this model's weights, or not a whole .safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
        if "logit_bias" in state and model.logit_bias is None:
            model.logit_bias = nn.Parameter(torch.zeros_like(state["logit_bias"]))
        model.load_state_dict(state)
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not the weights of this model ({reason}); make them again") from None


def _small(line: Mapping) -> Built:
    from clipfair.models.small_clip import SmallCLIP

    words = len(tokenizers.read_words(line["words"]))
    model = SmallCLIP(width=line["width"], dim=line["dim"], words=words)
    tokenizer = tokenizers.word_tokenizer(line["words"], line["length"])
    return _built(model, tokenizer, line["size"], SYMMETRIC, crop=False)


def _vit(line: Mapping) -> Built:
    """The paper's: resized to 224 x 224, [-1, 1]; text both ways, pooled at its last token."""
    from open_clip import CLIP
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    letter, patch = line["vision"].split("/")
    width, heads = SIZES[letter]
    text_width, text_heads = SIZES[line["text"]]
    model = CLIP(
        line["dim"],
        CLIPVisionCfg(
            layers=LAYERS,
            width=width,
            head_width=width // heads,
            patch_size=int(patch),
            image_size=line["size"],
            no_ln_pre=True,
        ),
        CLIPTextCfg(
            context_length=line["length"],
            width=text_width,
            heads=text_heads,
            layers=LAYERS,
            no_causal_mask=True,
            pool_type="last",
        ),
    )
    return _built(model, tokenizers.sticky_tokenizer(line["length"]), line["size"], SYMMETRIC, crop=False)


def _siglip(line: Mapping) -> Built:
    """open_clip's model of that name with the same tokens as the paper's towers; pictures as those."""
    from open_clip import CustomTextCLIP

    config = _config(line["name"])
    config.pop("custom_text")
    size = config["vision_cfg"]["image_size"]
    config["text_cfg"] |= {"context_length": line["length"], "vocab_size": tokenizers.PAIRS}
    model = CustomTextCLIP(**config)
    return _built(model, tokenizers.sticky_tokenizer(line["length"]), size, SYMMETRIC, crop=False)


def _open_clip(line: Mapping) -> Built:
    """As OpenAI published them: shorter side to the size, centre cut out, their mean and deviation."""
    from open_clip import CLIP

    config = _config(line["name"])
    size, length = config["vision_cfg"]["image_size"], config["text_cfg"]["context_length"]
    return _built(CLIP(**config), tokenizers.clip_tokenizer(length), size, OPENAI, crop=True)


def _config(name: str) -> dict:
    import open_clip

    config = open_clip.get_model_config(name)
    if config is None:
        raise UserError(f"config.models: open_clip {open_clip.__version__} has no model {name!r}")
    return config


def _blip2(line: Mapping) -> Built:
    from clipfair.models.blip2 import build_blip2

    return build_blip2(line)


_KINDS: dict[str, Callable[[Mapping], Built]] = {
    "small": _small,
    "vit": _vit,
    "siglip": _siglip,
    "open_clip": _open_clip,
    "blip2": _blip2,
}


def _built(model: nn.Module, tokenizer: Any, size: int, scale: tuple, *, crop: bool) -> Built:
    resize = _crop_to(size) if crop else _squash_to(size)
    normalise = _normaliser(*scale)

    def preprocess(image: "Image") -> Tensor:
        return normalise(pixels_of(resize(image))[None])[0]

    return Built(model, tokenizer, preprocess, resize, normalise, size, crop)


def _normaliser(mean: tuple[float, ...], deviation: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    # One multiplication and one addition for each pixel: x / 255 / deviation - mean / deviation.
    factor = torch.tensor([1 / (255 * one) for one in deviation]).view(3, 1, 1)
    offset = torch.tensor([-m / d for m, d in zip(mean, deviation, strict=True)]).view(3, 1, 1)

    def normalise(pixels: Tensor) -> Tensor:
        floats = pixels.to(torch.float32, copy=True)
        return floats.mul_(factor.to(pixels.device)).add_(offset.to(pixels.device))

    return normalise


def _squash_to(size: int) -> Callable[["Image"], "Image"]:
    """Both sides to ``size``, bilinear, whatever the shape (big_vision's resize)."""
    from PIL import Image

    def resize(image: "Image") -> "Image":
        image = image.convert("RGB")
        if image.size == (size, size):
            return image
        return image.resize((size, size), Image.Resampling.BILINEAR)

    return resize


def _crop_to(size: int) -> Callable[["Image"], "Image"]:
    """The shorter side to ``size``, bicubic, the centre cut out (CLIP's)."""
    from PIL import Image

    def resize(image: "Image") -> "Image":
        image = image.convert("RGB")
        scale = size / min(image.size)
        # torchvision's sides: the longer one is cut to an integer, the margins are rounded.
        width, height = (max(size, int(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = round((width - size) / 2), round((height - size) / 2)
        return image.crop((left, top, left + size, top + size))

    return resize
