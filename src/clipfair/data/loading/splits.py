"""Our own splits of datasets without a published one: by a hash of the key, in the sizes that others use."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clipfair.core.keys import hash_keys


def hash_rank(keys: Sequence[str]) -> np.ndarray:
    """Return the rank of each key, from 0, in the order of a hash of the keys; (n,) int64.

    The order is as good as random, and the same on every machine.
    """
    rank = np.empty(len(keys), dtype=np.int64)
    rank[np.argsort(hash_keys(np.asarray(keys, dtype=object), seed=0), kind="stable")] = np.arange(len(keys))
    return rank


def hash_split(keys: Sequence[str], *, train: int, of: int) -> pd.Categorical:
    """Return ``train`` for the first ``train`` in ``of`` keys by :func:`hash_rank`, ``test`` for the rest."""
    is_train = hash_rank(keys) < round(len(keys) * train / of)
    return pd.Categorical(np.where(is_train, "train", "test"), categories=["train", "test"])
