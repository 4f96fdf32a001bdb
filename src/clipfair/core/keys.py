"""Keys of examples: their text, and a hash of it that is the same in any order, shard or process."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array


def key_texts(keys: pa.Array) -> np.ndarray:
    """Keys of any type as the strings that identify the examples, (n,)."""
    return pc.cast(keys, pa.string()).to_numpy(zero_copy_only=False)


def hash_keys(keys: np.ndarray, *, seed: int) -> np.ndarray:
    """A hash of each string key; (n,) uint64.

    SipHash-2-4 keyed by the seed, then redistributed (a bijection), as pandas does.
    """
    sip_key = hashlib.sha256(str(seed).encode()).hexdigest()[:16]
    return hash_array(np.asarray(keys, dtype=object), hash_key=sip_key, categorize=False)
