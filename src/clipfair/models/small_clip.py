"""A small CLIP for pictures of 32 pixels on one core: three convolutions, a bag of words.

It has the interface of open_clip's models, and needs only torch: the import of open_clip would cost a
third of what such a model trains for.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

END = 0


class SmallImageTower(nn.Module):
    """Patches of 4 x 4 pixels, two convolutions that halve the sides, each channel's largest, a projection.

    Parameters
    ----------
    width
        Channels of the patches; the convolutions have twice and four times as many.
    dim
        Of the embedding: the representation size r.
    """

    def __init__(self, width: int, dim: int):
        super().__init__()
        self.patches = nn.Conv2d(3, width, kernel_size=4, stride=4)
        self.first = nn.Conv2d(width, 2 * width, kernel_size=3, stride=2, padding=1)
        self.second = nn.Conv2d(2 * width, 4 * width, kernel_size=3, stride=2, padding=1)
        self.norm = nn.LayerNorm(4 * width)
        self.proj = nn.Parameter(torch.randn(4 * width, dim) * (4 * width) ** -0.5)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) -> (n, dim); without ``proj``, what it would project, (n, 4 width)."""
        seen = functional.relu(self.patches(images.contiguous(memory_format=torch.channels_last)))
        seen = functional.relu(self.first(seen))
        seen = functional.relu(self.second(seen))
        pooled = self.norm(seen.amax(dim=(2, 3)))
        return pooled if self.proj is None else pooled @ self.proj


class SmallTextTower(nn.Module):
    """The mean over the words, which is zero for no words; one hidden layer beside it; a projection."""

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
        """(n, length) tokens, filled up with :data:`END` -> (n, dim)."""
        count = (texts != END).sum(dim=1)
        texts = texts[:, : max(1, int(count.max()))]
        words = self.words(texts).masked_fill((texts == END)[..., None], 0)
        bag = words.sum(dim=1) / (count[:, None] + 1)
        read = bag + self.down(functional.relu(self.up(self.before(bag))))
        return self.norm(read) @ self.proj


class SmallCLIP(nn.Module):
    """Two small towers and a temperature; a bias where a sigmoid loss gives it one."""

    def __init__(self, *, width: int, dim: int, words: int):
        super().__init__()
        self.visual = SmallImageTower(width, dim)
        self.text = SmallTextTower(words, 2 * width, dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.logit_bias = None

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """(n, 3, H, W) -> (n, dim)."""
        seen = self.visual(images)
        return functional.normalize(seen, dim=-1) if normalize else seen

    def encode_text(self, texts: Tensor, normalize: bool = False) -> Tensor:
        """(n, length) -> (n, dim)."""
        read = self.text(texts)
        return functional.normalize(read, dim=-1) if normalize else read
