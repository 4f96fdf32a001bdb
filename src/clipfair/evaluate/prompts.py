"""Sets of texts that evaluations compare images with."""

import hashlib
import importlib.util
import json
import re
import runpy
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

BARE = ("{}",)
# CLIP's 80 templates and the bare name, as big_vision averages them.
CLIP = "clip"
IMAGENET = "imagenet"
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class TextSet:
    """Texts that are embedded together: one embedding for each of ``names``, in their order.

    Attributes
    ----------
    names : one name for each embedding, or several whose embeddings are averaged; or ``imagenet``, the class
        names of ImageNet that were published with CLIP, in the order of the synsets.
    templates : sentences with ``{}`` for the name, over which the embedding is averaged; or ``clip``.
    canonical : apply :func:`canonicalise` to the sentences.
    """

    names: tuple[str | tuple[str, ...], ...] | str
    templates: tuple[str, ...] | str = BARE
    canonical: bool = False

    @property
    def digest(self) -> str:
        """The name of the set in the files of embeddings."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]


def canonicalise(text: str) -> str:
    """Underscores to spaces, no punctuation, lower case, single spaces, as big_vision prepares prompts.

    >>> canonicalise("A photo of an African_crocodile.")
    'a photo of an african crocodile'
    """
    return re.sub(r"\s+", " ", text.replace("_", " ").translate(_PUNCTUATION).lower()).strip()


def expand(texts: TextSet) -> list[tuple[str, ...]]:
    """The sentences of each embedding.

    CLIP's templates and class names come from open_clip, which distributes them with their licence.
    """
    finish = canonicalise if texts.canonical else str
    return [
        tuple(finish(template.replace("{}", part)) for part in _parts(name) for template in _templates(texts))
        for name in _names(texts)
    ]


def _parts(name: str | tuple[str, ...]) -> tuple[str, ...]:
    return (name,) if isinstance(name, str) else name


def _names(texts: TextSet) -> Sequence[str | tuple[str, ...]]:
    if texts.names != IMAGENET:
        return texts.names
    return _published()["IMAGENET_CLASSNAMES"]


def _templates(texts: TextSet) -> Sequence[str]:
    if texts.templates != CLIP:
        return texts.templates
    return [*(template("{}") for template in _published()["OPENAI_IMAGENET_TEMPLATES"]), *BARE]


@cache
def _published() -> dict:
    """The globals of open_clip's module of texts, run alone: importing the whole package takes seconds."""
    [package] = importlib.util.find_spec("open_clip").submodule_search_locations
    return runpy.run_path(f"{package}/zero_shot_metadata.py")
