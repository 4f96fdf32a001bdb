import hashlib

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys
from clipfair.m4 import sampling

MASK = 2**64 - 1


def siphash_2_4(key, message):
    """SipHash-2-4 after its publication (Aumasson and Bernstein, 2012)."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(x, bits):
        return ((x << bits) | (x >> (64 - bits))) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1], v[3] = rotate(v[1], 13) ^ v[0], rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1], v[3] = rotate(v[1], 17) ^ v[2], rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)

    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) % 256])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def redistribute(x):
    """The finaliser of SplitMix64, a bijection, with which pandas ends."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def test_siphash_here_gives_its_published_test_vector():
    assert siphash_2_4(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


def test_the_hash_is_siphash_keyed_by_the_seed():
    keys = ["", "a", "0000017", "a longer key / with ünicode"]
    for seed in (0, 1, 2**40):
        key = hashlib.sha256(str(seed).encode()).hexdigest()[:16].encode()
        expected = [redistribute(siphash_2_4(key, text.encode())) for text in keys]
        assert hash_keys(np.array(keys, dtype=object), seed=seed).tolist() == expected


def test_a_decision_depends_on_its_key_alone():
    keys = np.array([f"example-{i}" for i in range(2000)], dtype=object)
    weights = np.random.default_rng(0).random(2000)
    whole = sampling.keep(hash_keys(keys, seed=7), weights, max_weight=1.0)
    order = np.random.default_rng(1).permutation(2000)
    parts = [
        sampling.keep(hash_keys(keys[part], seed=7), weights[part], max_weight=1.0)
        for part in np.array_split(order, 7)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole[order])


@pytest.mark.parametrize("max_weight", [1.0, 2.5])
def test_the_share_kept_is_that_of_the_weights(max_weight):
    keys = np.array([str(i) for i in range(40000)], dtype=object)
    weights = np.linspace(0, max_weight, 40000)
    kept = sampling.keep(hash_keys(keys, seed=0), weights, max_weight=max_weight)
    assert kept.mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 6 / 40000))
    assert not kept[0]
    assert kept[weights == max_weight].all()
    other = sampling.keep(hash_keys(keys, seed=1), weights, max_weight=max_weight)
    agreement = (kept == other).mean()
    assert agreement == pytest.approx(2 / 3, abs=0.02)  # E[x^2 + (1-x)^2], x uniform: seeds are independent


def test_without_a_limit_there_is_nothing_to_sample_by():
    with pytest.raises(UserError, match="infinite"):
        sampling.keep(np.zeros(1, dtype=np.uint64), np.ones(1), max_weight=np.inf)
