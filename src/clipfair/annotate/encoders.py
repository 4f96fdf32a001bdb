"""Encoders of pictures and captions: any model of the catalogue, and one that is fitted in seconds.

The module names torch only where it computes, since importing it takes seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from clipfair.annotate.image import Encoder
from clipfair.annotate.shards import read_shards
from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path

if TYPE_CHECKING:
    import torch

# The convolutions: the first 5 x 5 with a stride, the second 3 x 3; biases spread the points where their
# rectifiers bend.
_SIZE_1, _SIZE_2 = 5, 3
_STRIDE = 2
_PADDING_1, _PADDING_2 = _SIZE_1 // 2, _SIZE_2 // 2
_BIAS_SCALE = 0.1


@dataclass(frozen=True)
class ClipEncoder:
    """A CLIP with what its inputs are made with.

    The model must be in evaluation mode and on ``device``; ``batch_size`` examples are encoded at once.
    """

    model: "torch.nn.Module"
    preprocess: Callable[[Image.Image], "torch.Tensor"]
    tokenizer: Callable[[list[str]], "torch.Tensor"]
    batch_size: int = 256
    device: str = "cpu"

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Embeddings of unit length, (n, d) float32."""
        import torch

        return _in_batches(
            images,
            lambda batch: self.model.encode_image(
                torch.stack([self.preprocess(image) for image in batch]).to(self.device), normalize=True
            ),
            self.batch_size,
        )

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of unit length, (n, d) float32."""
        return _in_batches(
            texts,
            lambda batch: self.model.encode_text(self.tokenizer(list(batch)).to(self.device), normalize=True),
            self.batch_size,
        )


@dataclass(frozen=True)
class LinearEncoder:
    """Pictures and captions in the space of the captions' words, fitted by :func:`fit_encoder`.

    A caption becomes its tf-idf vector; a picture becomes the ridge regression's guess of that
    vector, from features that two convolutions with random weights see. Nothing is trained but the
    regression, which has a closed form.

    An embedding has f + d numbers. The last d are that vector, less the mean caption's and of unit length.
    The first f are the picture's standardised features, which probes read; a text has zeros there, so
    that the inner product of a picture and a text is their cosine in the space of words.

    Parameters
    ----------
    kernels_1, biases_1, kernels_2, biases_2
        The convolutions: (c, 3, k, k), (c,), (c', c, k', k') and (c',).
    mean, scale
        (f,) of the features, f = c' x grid x grid.
    projection, intercept
        (f, d) and (d,): standardised features to a caption's vector less the mean.
    words, idf, mean_caption
        The d words, their inverse document frequencies and their mean tf-idf.
    side, grid
        Pictures are scaled to side x side pixels; features are means in grid x grid fields.
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
        """(n, f + d) float32: standardised features, then a unit vector in the space of words."""
        pixels = [_pixels(image, self.side) for image in images]
        convolutions = (self.kernels_1, self.biases_1, self.kernels_2, self.biases_2)
        features = (_see(pixels, convolutions, self.grid, self.batch_size) - self.mean) / self.scale
        return np.hstack([features, _unit(features @ self.projection + self.intercept)], dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, f + d) float32: zeros, then a unit vector in the space of words."""
        vectorizer = _vectorizer(vocabulary=self.words.tolist())
        vectorizer.idf_ = self.idf
        vectors = vectorizer.transform(texts).toarray() - self.mean_caption
        return np.hstack([np.zeros((len(texts), len(self.mean))), _unit(vectors)], dtype=np.float32)


def encoder_of(line: Mapping[str, Any], file: str | Path) -> Encoder:
    """The encoder of an annotation's line in the configuration.

    Parameters
    ----------
    line
        ``kind``: ``linear``, or ``clip`` with ``model``, its line in the catalogue of models; and where
        wanted ``batch_size``, and ``device`` for ``clip``.
    file
        What :func:`fit_encoder` wrote, or the weights of the model.
    """
    if line["kind"] == "linear":
        return load_linear(file, **_some(line, "batch_size"))
    return load_clip(line["model"], file, **_some(line, "batch_size", "device"))


def load_clip(
    model: Mapping[str, Any], weights: str | Path | None, *, batch_size: int = 256, device: str = "cpu"
) -> ClipEncoder:
    """A model of the catalogue with the weights of a local file.

    Parameters
    ----------
    model, weights
        As :func:`clipfair.models.build.build` takes them. Without weights they are random, and the same every
        time: to try things, not to annotate.
    device
        As torch names it (``cpu``, ``cuda``), or ``auto``: a GPU if there is one.
    """
    import torch

    from clipfair.models.build import build

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    built = build(model, None if weights is None else str(weights), seed=0)
    return ClipEncoder(built.model.eval().to(device), built.preprocess, built.tokenizer, batch_size, device)


def load_linear(file: str | Path, *, batch_size: int = 256) -> LinearEncoder:
    """Read what :func:`fit_encoder` wrote.

    Raises
    ------
    UserError
        If the file is missing or is something else.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in _FITTED}
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: not a linear encoder ({reason}); make it again") from None
    numbers = {name: values.pop(name).item() for name in ("side", "grid")}
    return LinearEncoder(**values, **numbers, batch_size=batch_size)


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

    No label is used. The similarity of these very pairs is a little too high, also of the mismatched, and
    the less so the more pairs there are. All features are in memory at once: 4 f bytes a pair, 8 KB with
    these settings.

    Parameters
    ----------
    seed
        Of the convolutions' weights.
    side, grid
        As :class:`LinearEncoder` has them.
    channels
        Of the two convolutions, 5 x 5 with stride 2 and 3 x 3.
    penalty
        Of the ridge regression on standardised features. It is the noise of a caption's vector over
        the spread of the weights, and so does not grow with the number of pairs.
    min_captions
        A word of fewer captions is left out.
    max_bad_share
        The share of bad examples, in [0, 1], that a shard may have.

    Raises
    ------
    UserError
        If a shard cannot be read, has too many bad examples, or no word is in ``min_captions`` captions.
    """
    convolutions = _convolutions(channels, np.random.default_rng(seed))
    examples = progress(read_shards(shards, max_bad_share=max_bad_share), what="fitting the encoder")
    pixels, captions = zip(
        *((_pixels(example.image, side), example.caption) for example in examples), strict=True
    )
    scaler = StandardScaler()
    features = scaler.fit_transform(_see(pixels, convolutions, grid))
    vectorizer = _vectorizer(min_df=min_captions)
    try:
        vectors = vectorizer.fit_transform(captions).toarray()
    except ValueError:
        raise UserError(
            f"encoder: no word is in {min_captions} of the {len(captions)} captions; give more shards"
        ) from None
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


def _some(line: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: line[name] for name in names if name in line}


_FITTED = tuple(field.name for field in fields(LinearEncoder) if field.name != "batch_size")


def _in_batches(items: Sequence, encode: Callable[[Sequence], "torch.Tensor"], batch_size: int) -> np.ndarray:
    """What ``encode`` makes of all items, ``batch_size`` at a time; float32."""
    import torch

    with torch.inference_mode():
        return np.concatenate(
            [
                encode(items[start : start + batch_size]).float().cpu().numpy()
                for start in range(0, len(items), batch_size)
            ]
        )


def _convolutions(channels: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Kernels and biases of both layers; float32, of a size that keeps the signal's."""
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


def _see(
    pixels: Sequence[np.ndarray], convolutions: Sequence[np.ndarray], grid: int, batch_size: int = 256
) -> np.ndarray:
    """(n, f) float32 features of n (side, side, 3) uint8 pictures."""
    import torch
    from torch.nn import functional

    kernels_1, biases_1, kernels_2, biases_2 = map(torch.from_numpy, convolutions)

    def features(batch: Sequence[np.ndarray]) -> torch.Tensor:
        seen = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 127.5 - 1
        seen = functional.relu(functional.conv2d(seen, kernels_1, biases_1, _STRIDE, _PADDING_1))
        seen = functional.relu(functional.conv2d(seen, kernels_2, biases_2, padding=_PADDING_2))
        return functional.adaptive_avg_pool2d(seen, grid).flatten(start_dim=1)

    return _in_batches(pixels, features, batch_size)


def _vectorizer(**options: Any) -> TfidfVectorizer:
    """Words of letters and digits, also those of one letter."""
    return TfidfVectorizer(token_pattern=r"\b\w+\b", **options)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
