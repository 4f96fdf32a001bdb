"""Models from their entry in the catalogue: two towers, a tokenizer, the preparation of images.

There are five kinds. ``vit``: the towers of CLIP the Bias (section 3), built with open_clip. ``siglip``:
SigLIP's, with attention pooling. ``open_clip``: OpenAI's published models, by open_clip's name. ``small``:
:mod:`clipfair.models.small_clip`. ``blip2``: :mod:`clipfair.models.blip2`, on a tower of another kind. What
the paper leaves open is listed in docs/training.md, with our choices and their reasons.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError, unknown
from clipfair.models import tokenizers
from clipfair.models.architectures import CLIP_VOCABULARY_SIZE
from clipfair.models.checkpoints import check_finite
from clipfair.models.interface import BuiltModel, pixels_of
from clipfair.models.resizing import ResizeMethod, make_resize

if TYPE_CHECKING:
    from PIL.Image import Image

# Width and heads; both sizes have 12 layers, and MLPs of four times the width (section 4).
SIZES = {"S": (384, 6), "B": (768, 12)}
LAYERS = 12
LAYER_NORM = {"eps": 1e-6}  # flax's default
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SYMMETRIC = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # [0, 1] -> [-1, 1] (Appendix A.4)


def build(entry: Mapping, weights: str | None, seed: int) -> BuiltModel:
    """Build the model of an entry of the catalogue.

    Parameters
    ----------
    entry
        ``kind`` and its settings; ``weights`` in it is not read.
    weights
        A .safetensors with all weights of the model; None for random weights.
    seed
        Of the random weights. The same seed gives the same weights, whatever was drawn before.

    Raises
    ------
    UserError
        If the entry names a kind, model or word list that does not exist, or the weights do not fit.
    """
    if entry["kind"] not in _KINDS:
        raise UserError(f"config.models: {unknown('kind', entry['kind'], _KINDS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = _KINDS[entry["kind"]](entry)
    if weights is not None:
        load_weights(built.model, weights)
    return built


def load_weights(model: nn.Module, path: str) -> None:
    """Load the weights of a file into a model; a logit bias is added if the file has one.

    Raises
    ------
    UserError
        If the file is not a complete .safetensors, its weights are not exactly those of the model, or they
        are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
        check_finite(state, where=path)
        if "logit_bias" in state and model.logit_bias is None:
            model.logit_bias = nn.Parameter(torch.zeros_like(state["logit_bias"]))
        model.load_state_dict(state)
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: not the weights of this model ({reason}); train or fetch it again"
        ) from None


def _small(entry: Mapping) -> BuiltModel:
    from clipfair.models.small_clip import SmallCLIP

    words = len(tokenizers.read_words(entry["words"]))
    model = SmallCLIP(width=entry["width"], dim=entry["dim"], words=words)
    tokenizer = tokenizers.WordListTokenizer(entry["words"], entry["length"])
    return with_preprocessing(model, tokenizer, entry["size"], SYMMETRIC, resizing="squash")


def _vit(entry: Mapping) -> BuiltModel:
    """CLIP the Bias: images in [-1, 1]; a text tower without causal mask, pooled at the last token.

    The patch embedding and the text tower's head have a bias, and layer norms an epsilon of 1e-6, as in
    big_vision.
    """
    from open_clip import CLIP
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    config = _overridden(_vit_config(entry), entry)
    vision = config["vision_cfg"]
    model = CLIP(config["embed_dim"], CLIPVisionCfg(**vision), CLIPTextCfg(**config["text_cfg"]))
    patch = vision["patch_size"]
    model.visual.conv1 = nn.Conv2d(3, vision["width"], kernel_size=patch, stride=patch)
    _approximate_gelu(model)
    tokenizer = tokenizers.sticky_tokenizer(entry["length"])
    resizing = _big_vision_resizing(entry)
    return with_preprocessing(model, tokenizer, entry["size"], SYMMETRIC, resizing=resizing)


def _vit_config(entry: Mapping) -> dict:
    letter, patch = entry["vision"].split("/")
    width, heads = SIZES[letter]
    text_width, text_heads = SIZES[entry["text"]]
    return {
        "embed_dim": entry["dim"],
        "vision_cfg": {
            "layers": LAYERS,
            "width": width,
            "head_width": width // heads,
            "patch_size": int(patch),
            "image_size": entry["size"],
            "no_ln_pre": True,
            "norm_kwargs": LAYER_NORM,
        },
        "text_cfg": {
            "context_length": entry["length"],
            "width": text_width,
            "heads": text_heads,
            "layers": LAYERS,
            "no_causal_mask": True,
            "pool_type": "last",
            "proj_bias": True,
            "norm_kwargs": LAYER_NORM,
        },
    }


def _siglip(entry: Mapping) -> BuiltModel:
    """open_clip's SigLIP of that name, with tokens and images as for ``vit``."""
    from open_clip import CustomTextCLIP

    config = _config(entry)
    config.pop("custom_text")
    size = config["vision_cfg"]["image_size"]
    config["text_cfg"] |= {"context_length": entry["length"], "vocab_size": CLIP_VOCABULARY_SIZE}
    model = CustomTextCLIP(**config)
    _approximate_gelu(model)
    tokenizer = tokenizers.sticky_tokenizer(entry["length"])
    return with_preprocessing(model, tokenizer, size, SYMMETRIC, resizing=_big_vision_resizing(entry))


def _approximate_gelu(model: nn.Module) -> None:
    """Approximate GELU by tanh, which is flax's default."""
    for module in model.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "tanh"


def _open_clip(entry: Mapping) -> BuiltModel:
    """OpenAI's, unless the entry differs: shorter side to the size, centre crop, its mean and deviation."""
    from open_clip import CLIP

    config = _config(entry)
    size, length = config["vision_cfg"]["image_size"], config["text_cfg"]["context_length"]
    scale = SYMMETRIC if entry.get("normalisation") == "symmetric" else OPENAI
    resizing = entry.get("resize") or "crop"
    return with_preprocessing(
        CLIP(**config), tokenizers.clip_tokenizer(length), size, scale, resizing=resizing
    )


def _config(entry: Mapping) -> dict:
    """open_clip's settings of the entry's architecture, with its overrides."""
    import open_clip

    name = entry["architecture"]
    config = open_clip.get_model_config(name)
    if config is None:
        raise UserError(f"config.models: open_clip {open_clip.__version__} has no model {name!r}")
    return _overridden(config, entry)


def _overridden(config: Mapping, entry: Mapping) -> dict:
    """The settings, with those of ``overrides`` in their place: tower by tower, key by key."""
    changed = dict(config)
    for key, value in entry.get("overrides", {}).items():
        changed[key] = {**config[key], **value} if isinstance(value, Mapping) else value
    return changed


def _blip2(entry: Mapping) -> BuiltModel:
    from clipfair.models.blip2 import make_blip2

    tower = build(entry["tower"], None, 0)
    model, tokenizer = make_blip2(entry, tower.model.visual)
    built = replace(tower, model=model, tokenizer=tokenizer)
    return built if entry.get("resize") is None else _with_resizing(built, entry["resize"])


_KINDS: dict[str, Callable[[Mapping], BuiltModel]] = {
    "small": _small,
    "vit": _vit,
    "siglip": _siglip,
    "open_clip": _open_clip,
    "blip2": _blip2,
}


def with_preprocessing(
    model: nn.Module, tokenizer: Any, size: int, scale: tuple, *, resizing: ResizeMethod
) -> BuiltModel:
    resize = make_resize(resizing, size)
    normalise = _normaliser(*scale)
    preprocess = _preprocessing(resize, normalise)
    return BuiltModel(model, tokenizer, preprocess, resize, normalise, size, resizing)


def _with_resizing(built: BuiltModel, resizing: ResizeMethod) -> BuiltModel:
    resize = make_resize(resizing, built.size)
    preprocess = _preprocessing(resize, built.normalise)
    return replace(built, preprocess=preprocess, resize=resize, resizing=resizing)


def _preprocessing(
    resize: Callable[["Image"], "Image"], normalise: Callable[[Tensor], Tensor]
) -> Callable[["Image"], Tensor]:
    def preprocess(image: "Image") -> Tensor:
        return normalise(pixels_of(resize(image))[None])[0]

    return preprocess


def _big_vision_resizing(entry: Mapping) -> ResizeMethod:
    """Return big_vision's method of resizing, or with antialiasing if the entry asks for it."""
    return "squash" if entry.get("antialias", False) else "sample"


def _normaliser(mean: tuple[float, ...], deviation: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    # One multiplication and one addition per pixel: x / 255 / deviation - mean / deviation.
    factor = torch.tensor([1 / (255 * one) for one in deviation]).view(3, 1, 1)
    offset = torch.tensor([-m / d for m, d in zip(mean, deviation, strict=True)]).view(3, 1, 1)

    def normalise(pixels: Tensor) -> Tensor:
        floats = pixels.to(torch.float32, copy=True)
        here = pixels.device
        return floats.mul_(factor.to(here, non_blocking=True)).add_(offset.to(here, non_blocking=True))

    return normalise
