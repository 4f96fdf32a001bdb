"""A small CLIP for images of 32 pixels, trained on one core: three convolutions and a bag of words.

It has the interface of open_clip's models and needs only torch: importing open_clip would take a third of the
time that such a model trains.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

END = 0


class SmallImageTower(nn.Module):
    """Patches of 4 x 4 pixels, two convolutions with stride 2, max pooling, a projection.

    Parameters
    ----------
    width
        Channels of the patches; the convolutions have twice and four times as many.
    dim
        The representation size r of the embedding.
    """

    def __init__(self, width: int, dim: int):
        super().__init__()
        self.patches = nn.Conv2d(3, width, kernel_size=4, stride=4)
        self.first = nn.Conv2d(width, 2 * width, kernel_size=3, stride=2, padding=1)
        self.second = nn.Conv2d(2 * width, 4 * width, kernel_size=3, stride=2, padding=1)
        self.norm = nn.LayerNorm(4 * width)
        self.proj = nn.Parameter(torch.randn(4 * width, dim) * (4 * width) ** -0.5)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, dim); (n, 4 width), the input of the projection, if ``proj`` is None."""
        maps = functional.relu(self.patches(images.contiguous(memory_format=torch.channels_last)))
        maps = functional.relu(self.first(maps))
        maps = functional.relu(self.second(maps))
        pooled = self.norm(maps.amax(dim=(2, 3)))
        return pooled if self.proj is None else pooled @ self.proj


class SmallTextTower(nn.Module):
    """The mean over the word embeddings (zero without words), a residual hidden layer, a projection."""

    def __init__(self, words: int, width: int, dim: int):
        super().__init__()
        self.words = nn.Embedding(words + 1, width)
        self.before = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, dim) * width**-0.5)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(self, texts: Tensor) -> Tensor:
        """(n, length) tokens, padded with :data:`END` -> (n, dim)."""
        count = (texts != END).sum(dim=1)
        if texts.device.type == "cpu":  # elsewhere, to read the length would wait for the device
            texts = texts[:, : max(1, int(count.max()))]
        words = self.words(texts).masked_fill((texts == END)[..., None], 0)
        bag = words.sum(dim=1) / (count[:, None] + 1)
        hidden = bag + self.down(functional.relu(self.up(self.before(bag))))
        return self.norm(hidden) @ self.proj


class SmallCLIP(nn.Module):
    """Two small towers and a temperature; a sigmoid loss sets a bias, too."""

    def __init__(self, *, width: int, dim: int, words: int):
        super().__init__()
        self.visual = SmallImageTower(width, dim)
        self.text = SmallTextTower(words, 2 * width, dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.logit_bias = None

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """(n, 3, H, W) -> (n, dim)."""
        embedded = self.visual(images)
        return functional.normalize(embedded, dim=-1) if normalize else embedded

    def encode_text(self, texts: Tensor, normalize: bool = False) -> Tensor:
        """(n, length) -> (n, dim)."""
        embedded = self.text(texts)
        return functional.normalize(embedded, dim=-1) if normalize else embedded
