"""Splits of our own, where none is published: by a hash of the key, of the sizes that others use."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clipfair.core.keys import hash_keys


def hash_rank(keys: Sequence[str]) -> np.ndarray:
    """The place of each key, from 0, in an order that depends on nothing but the keys; (n,) int64.

    The order is that of a keyed hash, and so as good as a drawn one, but the same everywhere.
    """
    rank = np.empty(len(keys), dtype=np.int64)
    rank[np.argsort(hash_keys(np.asarray(keys, dtype=object), seed=0), kind="stable")] = np.arange(len(keys))
    return rank


def hash_split(keys: Sequence[str], *, train: int, of: int) -> pd.Categorical:
    """``train`` or ``test``: the first by :func:`hash_rank`, ``train`` in each ``of``, and the others."""
    is_train = hash_rank(keys) < round(len(keys) * train / of)
    return pd.Categorical(np.where(is_train, "train", "test"), categories=["train", "test"])
