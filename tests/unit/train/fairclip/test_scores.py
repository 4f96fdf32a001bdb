"""Scores against the matrix products that the released code takes them from."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from clipfair.train.fairclip.scores import divide_by_sum, pair_scores, square_scores, standardise


def embeddings(n=7, r=5):
    generator = torch.Generator().manual_seed(0)
    return (
        functional.normalize(torch.randn(n, r, generator=generator, dtype=torch.float64), dim=1)
        for _ in range(2)
    )


def test_pair_scores_are_the_diagonal_of_the_logits():
    images, texts = embeddings()
    logits = 100 * images @ texts.T
    torch.testing.assert_close(pair_scores(images, texts, torch.tensor(100.0)), logits.diagonal())


def test_square_scores_are_the_diagonal_of_the_released_product():
    images, texts = embeddings()
    per_image = 100 * images @ texts.T
    per_text = per_image.T
    torch.testing.assert_close(square_scores(per_image), (per_image @ per_text.T).diagonal())


def test_square_scores_grow_with_the_square_of_the_logits():
    images, texts = embeddings()
    logits = images @ texts.T
    torch.testing.assert_close(square_scores(10 * logits), 100 * square_scores(logits))


def test_normalised_scores_sum_to_one():
    assert divide_by_sum(torch.tensor([1.0, 2.0, 5.0])).tolist() == [0.125, 0.25, 0.625]


def test_standard_scores_have_mean_0_and_a_sample_deviation_of_1():
    scores = torch.tensor([1.0, 2.0, 3.0, 6.0])
    expected = (scores.numpy() - 3) / np.std(scores.numpy(), ddof=1)
    assert standardise(scores).tolist() == pytest.approx(expected.tolist())
