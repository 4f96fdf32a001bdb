"""Hashes that occur more than once, against brute force."""

import numpy as np
import pytest

from clipfair.balance.key_hashes import repeated_hashes

LARGEST = 2**64 - 1


@pytest.mark.parametrize("sorted_at_once", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("parts", [1, 2, 13])
def test_repeated_hashes_are_those_of_brute_force_for_any_partition(parts, sorted_at_once):
    rng = np.random.default_rng(parts)
    hashes = rng.integers(0, LARGEST, 2000, dtype=np.uint64, endpoint=True)
    edges = np.array([0, 0, LARGEST, LARGEST, 2**63, 2**63, 2**63, 2**63 - 1], dtype=np.uint64)
    hashes = rng.permutation(np.concatenate([hashes, hashes[:50], edges]))
    values, counts = np.unique(hashes, return_counts=True)
    found = repeated_hashes(
        [np.sort(part) for part in np.array_split(hashes, parts)], sorted_at_once=sorted_at_once
    )
    np.testing.assert_array_equal(found, values[counts > 1])
    assert len(found) == 53


def test_no_keys_have_no_repeated_hashes():
    assert len(repeated_hashes([np.zeros(0, dtype=np.uint64)])) == 0
    assert len(repeated_hashes([])) == 0
