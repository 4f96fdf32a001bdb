import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from clipfair.core.errors import UserError
from clipfair.train.cross_entropy import symmetric_cross_entropy
from clipfair.train.losses import find_loss
from clipfair.train.losses.sigmoid import loss as sigmoid_loss
from clipfair.train.losses.softmax import loss as softmax_loss


def features(n=6, dim=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda: normalize(torch.randn(n, dim, generator=generator, dtype=torch.float64), dim=-1)  # noqa: E731
    return draw(), draw()


def softmax_by_hand(logits):
    n = len(logits)
    rows = [math.log(sum(math.exp(x) for x in logits[i])) - logits[i][i] for i in range(n)]
    columns = [math.log(sum(math.exp(logits[j][i]) for j in range(n))) - logits[i][i] for i in range(n)]
    return (sum(rows) + sum(columns)) / (2 * n)


def sigmoid_by_hand(logits):
    n = len(logits)
    return (
        sum(math.log1p(math.exp(-(1 if i == j else -1) * logits[i][j])) for i in range(n) for j in range(n))
        / n
    )


def test_softmax_is_both_cross_entropies():
    images, texts = features()
    logits = (7 * images @ texts.T).tolist()
    loss = softmax_loss(images, texts, images, texts, torch.tensor(7.0), None, 0)
    assert float(loss) == pytest.approx(softmax_by_hand(logits), rel=1e-9)


def test_sigmoid_is_the_sum_over_all_pairs():
    images, texts = features()
    logits = (7 * images @ texts.T - 3).tolist()
    loss = sigmoid_loss(images, texts, images, texts, torch.tensor(7.0), torch.tensor(-3.0), 0)
    assert float(loss) == pytest.approx(sigmoid_by_hand(logits), rel=1e-6)


def test_no_information_costs_log_n():
    images = texts = normalize(torch.ones(5, 3), dim=-1)
    assert float(softmax_loss(images, texts, images, texts, torch.tensor(10.0), None, 0)) == pytest.approx(
        math.log(5), rel=1e-6
    )


@pytest.mark.parametrize("loss", [softmax_loss, sigmoid_loss])
def test_mean_over_processes_is_the_loss_of_the_global_batch(loss):
    images, texts = features(6)
    scale, bias = torch.tensor(5.0), torch.tensor(-2.0)
    whole = loss(images, texts, images, texts, scale, bias, 0)
    parts = [
        loss(images[rows], texts[rows], images, texts, scale, bias, int(rows[0]))
        for rows in np.split(np.arange(6), 3)
    ]
    assert float(torch.stack(parts).mean()) == pytest.approx(float(whole), rel=1e-9)


def test_symmetric_cross_entropy_with_smoothed_labels():
    similarity = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    losses = []
    for logits in (similarity, similarity.T):
        log_p = logits.log_softmax(dim=1)
        losses.append(-(0.95 * log_p.diagonal() + 0.05 * log_p.fliplr().diagonal()).mean())
    smoothed = symmetric_cross_entropy(similarity, label_smoothing=0.1)
    assert smoothed.item() == pytest.approx((sum(losses) / 2).item())


def test_the_pairs_of_another_process_are_further_columns():
    by_image, by_text = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(0)).unbind()
    expected = -sum(logits.log_softmax(dim=1)[[0, 1], [4, 5]].mean() for logits in (by_image, by_text)) / 2
    assert symmetric_cross_entropy(by_image, by_text, first=4).item() == pytest.approx(expected.item())


def test_a_loss_is_found_by_name_or_as_a_function_of_a_module():
    assert find_loss("softmax") is softmax_loss
    assert find_loss("clipfair.train.losses.sigmoid:loss") is sigmoid_loss
    with pytest.raises(
        UserError, match=r"^methods\.yaml: unknown loss 'softmex' \(did you mean 'softmax'\?\)"
    ):
        find_loss("softmex")
