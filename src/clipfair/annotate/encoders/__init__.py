"""Encoders of images and captions into one space. A module for each kind, with ``load_encoder``."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from clipfair.annotate.encoders.interface import Encoder


def load_encoder(settings: Mapping[str, Any], file: str | Path) -> Encoder:
    """Load the encoder that an annotation's settings name.

    Parameters
    ----------
    settings
        ``kind``, the name of its module here, and what that module's ``load_encoder`` takes.
    file
        The fitted encoder, or the weights of the model.
    """
    return import_module(f"clipfair.annotate.encoders.{settings['kind']}").load_encoder(settings, file)
