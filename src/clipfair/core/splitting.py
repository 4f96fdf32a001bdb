"""Consecutive parts of a sequence."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")


def split_evenly(items: Sequence[Item], parts: int) -> list[list[Item]]:
    """Split items into consecutive parts whose lengths differ by at most 1."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [list(items[start:end]) for start, end in pairwise(bounds)]
