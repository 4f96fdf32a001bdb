"""An encoder of images and captions that is fitted in seconds: random convolutions, tf-idf, ridge regression.

Torch is imported inside functions only, since importing it takes seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from clipfair.annotate.encoders.interface import encode_in_batches
from clipfair.annotate.examples import read_shards
from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path

# The convolutions: 5 x 5 with a stride, then 3 x 3. Random biases spread the thresholds of the rectifiers.
_SIZE_1, _SIZE_2 = 5, 3
_STRIDE = 2
_PADDING_1, _PADDING_2 = _SIZE_1 // 2, _SIZE_2 // 2
_BIAS_SCALE = 0.1


@dataclass(frozen=True)
class LinearEncoder:
    """Images and captions in the space of the captions' words, fitted by :func:`fit_encoder`.

    A caption becomes its tf-idf vector. An image becomes the prediction of that vector by a ridge
    regression, whose features are the outputs of two convolutions with random weights. Only the regression
    is fitted, in closed form.

    An embedding has f + d numbers. The last d are this vector minus the mean caption's, scaled to unit
    length. The first f are the image's standardised features, for probes; a text has zeros there, so that
    the inner product of an image and a text is their cosine in the space of words.

    Parameters
    ----------
    kernels_1, biases_1, kernels_2, biases_2
        The convolutions: (c, 3, k, k), (c,), (c', c, k', k') and (c',).
    mean, scale
        (f,) of the features, f = c' x grid x grid.
    projection, intercept
        (f, d) and (d,): from standardised features to a caption's vector minus the mean.
    words, idf, mean_caption
        The d words, their inverse document frequencies and their mean tf-idf.
    side, grid
        Images are scaled to side x side pixels; features are means over grid x grid fields.
    """

    kernels_1: np.ndarray
    biases_1: np.ndarray
    kernels_2: np.ndarray
    biases_2: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    projection: np.ndarray
    intercept: np.ndarray
    words: np.ndarray
    idf: np.ndarray
    mean_caption: np.ndarray
    side: int
    grid: int
    batch_size: int = 256

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return (n, f + d) float32: standardised features, then a unit vector in the space of words."""
        pixels = [_pixels(image, self.side) for image in images]
        convolutions = (self.kernels_1, self.biases_1, self.kernels_2, self.biases_2)
        features = (
            _image_features(pixels, convolutions, self.grid, self.batch_size) - self.mean
        ) / self.scale
        return np.hstack([features, _unit(features @ self.projection + self.intercept)], dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return (n, f + d) float32: zeros, then a unit vector in the space of words."""
        vectorizer = _vectorizer(vocabulary=self.words.tolist())
        vectorizer.idf_ = self.idf
        vectors = vectorizer.transform(texts).toarray() - self.mean_caption
        return np.hstack([np.zeros((len(texts), len(self.mean))), _unit(vectors)], dtype=np.float32)


def load_encoder(settings: Mapping[str, Any], file: str | Path) -> LinearEncoder:
    """Load an encoder that :func:`fit_encoder` wrote.

    Parameters
    ----------
    settings
        Optional: ``batch_size``.

    Raises
    ------
    UserError
        If the file is missing or not a linear encoder.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in _FITTED}
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: not a linear encoder ({reason}); delete it and run again") from None
    numbers = {name: values.pop(name).item() for name in ("side", "grid")}
    return LinearEncoder(**values, **numbers, batch_size=settings.get("batch_size", 256))


def fit_encoder(
    shards: Sequence[str | Path],
    out_path: str | Path,
    *,
    seed: int = 0,
    side: int = 32,
    grid: int = 4,
    channels: tuple[int, int] = (64, 128),
    penalty: float = 3000.0,
    min_captions: int = 5,
    max_bad_share: float = 0.0,
) -> None:
    """Fit a :class:`LinearEncoder` to the pairs of some shards and write it as .npz.

    No label is used. The similarity of the pairs it is fitted to is slightly too high, for matched and
    mismatched captions alike; the effect decreases with the number of pairs. All features are in memory at
    once: 4 f bytes a pair, 8 KB with the defaults.

    Parameters
    ----------
    seed
        Of the convolutions' weights.
    side, grid
        As in :class:`LinearEncoder`.
    channels
        Of the two convolutions.
    penalty
        Of the ridge regression on standardised features: the ratio of the variances of a caption's vector
        and of the weights, and so independent of the number of pairs.
    min_captions
        Words in fewer captions are left out.
    max_bad_share
        The share of bad examples, in [0, 1], that a shard may have.

    Raises
    ------
    UserError
        If a shard cannot be read, has too many bad examples, there are no examples, or no word is in
        ``min_captions`` captions.
    """
    convolutions = _convolutions(channels, np.random.default_rng(seed))
    examples = progress(read_shards(shards, max_bad_share=max_bad_share), what="fitting the encoder")
    pairs = [(_pixels(example.image, side), example.caption) for example in examples]
    if not pairs:
        raise UserError(f"encoder: the first {len(shards)} shards have no examples; raise fit_shards")
    pixels, captions = zip(*pairs, strict=True)
    scaler = StandardScaler()
    features = scaler.fit_transform(_image_features(pixels, convolutions, grid))
    vectorizer, vectors = _fit_vectorizer(captions, min_captions)
    mean_caption = vectors.mean(axis=0)
    ridge = Ridge(alpha=penalty, solver="cholesky").fit(features, (vectors - mean_caption).astype(np.float32))
    fitted = (
        *convolutions,
        *(scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)),
        *(np.ascontiguousarray(ridge.coef_.T), ridge.intercept_),
        *(vectorizer.get_feature_names_out().astype(str), vectorizer.idf_, mean_caption),
        *(side, grid),
    )
    with atomic_path(out_path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **dict(zip(_FITTED, fitted, strict=True)))


def _fit_vectorizer(captions: Sequence[str], min_captions: int) -> tuple[TfidfVectorizer, np.ndarray]:
    """The vectorizer and the captions' tf-idf vectors, (n, d)."""
    vectorizer = _vectorizer(min_df=min_captions)
    try:
        return vectorizer, vectorizer.fit_transform(captions).toarray()
    except ValueError:
        raise UserError(
            f"encoder: no word is in {min_captions} of the {len(captions)} captions; give more shards"
        ) from None


_FITTED = tuple(field.name for field in fields(LinearEncoder) if field.name != "batch_size")


def _convolutions(channels: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Kernels and biases of both layers, float32, scaled so that the layers preserve the variance."""
    arrays = []
    for shape in ((channels[0], 3, _SIZE_1, _SIZE_1), (channels[1], channels[0], _SIZE_2, _SIZE_2)):
        scale = (2 / np.prod(shape[1:])) ** 0.5
        arrays += [rng.normal(scale=scale, size=shape), rng.normal(scale=_BIAS_SCALE, size=shape[0])]
    return tuple(array.astype(np.float32) for array in arrays)


def _pixels(image: Image.Image, side: int) -> np.ndarray:
    """(side, side, 3) uint8."""
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _image_features(
    pixels: Sequence[np.ndarray], convolutions: Sequence[np.ndarray], grid: int, batch_size: int = 256
) -> np.ndarray:
    """(n, f) float32 features of n (side, side, 3) uint8 images."""
    import torch
    from torch.nn import functional

    kernels_1, biases_1, kernels_2, biases_2 = map(torch.from_numpy, convolutions)

    def features(batch: Sequence[np.ndarray]) -> torch.Tensor:
        maps = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 127.5 - 1
        maps = functional.relu(functional.conv2d(maps, kernels_1, biases_1, _STRIDE, _PADDING_1))
        maps = functional.relu(functional.conv2d(maps, kernels_2, biases_2, padding=_PADDING_2))
        return functional.adaptive_avg_pool2d(maps, grid).flatten(start_dim=1)

    return encode_in_batches(pixels, features, batch_size)


def _vectorizer(**options: Any) -> TfidfVectorizer:
    """Words of letters and digits, also those of one letter."""
    return TfidfVectorizer(token_pattern=r"\b\w+\b", **options)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
