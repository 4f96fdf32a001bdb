"""Architectures of open_clip: checked by its files, without importing it, which takes seconds."""

import difflib
import importlib.util
import json
from pathlib import Path

# The settings of a CLIP with CLIP's own text tower.
_CLIP_KEYS = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale", "init_logit_bias"}
CLIP_VOCABULARY_SIZE = 49_408


def check_clip(name: str) -> str:
    """Return the name of a CLIP with the text tower and tokenizer of OpenAI's models.

    Raises
    ------
    ValueError
        If open_clip has no such architecture, or its text tower or tokenizer is another.
    """
    settings = _read(name)
    if settings is not None:
        text = settings["text_cfg"]
        others = settings.keys() - _CLIP_KEYS
        others |= {key for key in text if key.startswith("hf_") or key == "tokenizer_kwargs"}
        if others or text["vocab_size"] != CLIP_VOCABULARY_SIZE:
            reason = ", ".join(sorted(others)) or "vocab_size"
            raise ValueError(
                f"{name} has another text tower or tokenizer than CLIP ({reason}); expected CLIP's"
            )
    return name


def check_siglip(name: str) -> str:
    """Return the name of a SigLIP.

    Raises
    ------
    ValueError
        If open_clip has no such architecture, or it is no SigLIP.
    """
    settings = _read(name)
    if settings is not None and not (
        settings.keys() >= {"custom_text", "init_logit_bias"} and "hf_model_name" not in settings["text_cfg"]
    ):
        raise ValueError(f"{name} is no SigLIP; expected one, or kind open_clip")
    return name


def _read(name: str) -> dict | None:
    """The settings of an architecture; None where open_clip is not installed, as where only is planned."""
    if ":" in name:
        raise ValueError(
            f"{name!r} is of a hub or a folder, whose settings are not read; expected an architecture of "
            "open_clip's own, with the model's weights as weights: {file: ..., sha256: ...}"
        )
    package = importlib.util.find_spec("open_clip")
    if package is None:
        return None
    files = {path.stem: path for path in Path(package.origin).with_name("model_configs").glob("*.json")}
    if name not in files:
        close = ", ".join(difflib.get_close_matches(name, files, n=3)) or "open_clip.list_models()"
        raise ValueError(f"open_clip has no architecture {name!r}; close: {close}")
    return json.loads(files[name].read_text(encoding="utf-8"))
