"""Architectures of open_clip, checked against its files without importing it, which would take seconds."""

import ast
import difflib
import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from clipfair.core.errors import unknown

# The settings of a CLIP with CLIP's own text tower.
_CLIP_KEYS = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale", "init_logit_bias"}
CLIP_VOCABULARY_SIZE = 49_408
# open_clip's classes of a tower's settings.
_TOWERS = {"vision_cfg": "CLIPVisionCfg", "text_cfg": "CLIPTextCfg"}


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


def check_overrides(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return settings of open_clip's towers (``vision_cfg``, ``text_cfg``) and ``embed_dim``.

    Raises
    ------
    ValueError
        If a tower's settings are no mapping or have a key that open_clip does not have, or ``embed_dim`` is
        no whole number above 0.
    """
    for key, value in overrides.items():
        if key not in _TOWERS:
            if type(value) is not int or value < 1:
                raise ValueError(f"{key}: {value!r}; expected a whole number above 0")
        elif not isinstance(value, Mapping):
            raise ValueError(f"{key}: {value!r}; expected a mapping")
        else:
            known = _settings_of_towers().get(_TOWERS[key])
            for setting in value:
                if known is not None and setting not in known:
                    raise ValueError(f"{key}: {unknown('setting', setting, known)}")
    return overrides


@cache
def _settings_of_towers() -> dict[str, list[str]]:
    """The settings of each of open_clip's classes of settings; none where it is not installed."""
    package = importlib.util.find_spec("open_clip")
    if package is None:
        return {}
    tree = ast.parse(Path(package.origin).with_name("model.py").read_text(encoding="utf-8"))
    return {
        node.name: [line.target.id for line in node.body if isinstance(line, ast.AnnAssign)]
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in _TOWERS.values()
    }


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
