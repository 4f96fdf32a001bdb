"""How well and how fairly a model tells a label from an image and two prompts; how far groups' scores are.

Settings: ``label`` (a column; ``positive``, its value that is 1, if it is not 0 and 1), ``prompts`` (that of
0, that of 1), ``sensitive`` (columns), ``distances`` (of :data:`clipfair.metrics.distances.EVALUATED`, less
``distance_``; they need ``captions``, each example's own text).

The probability of 1 is the softmax over the two plain cosines, without the temperature, as in the papers:
it stays close to 0.5 (section 2). The score is the logit of the image with its own text, temperature
included: the diagonal of the logits L. The released evaluation took that of L L, in batches of 32 in the
order of the table, and so have the published distances (section 4): ``square_*`` are of that score.
"""

from collections.abc import Mapping

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Embedded, Result
from clipfair.evaluate.similarity import probabilities
from clipfair.metrics import labels_of, make_scores, measure_scores, of_square

BATCH = 32  # of the released evaluation: the score of diag(LL) depends on it


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Metrics of the test examples, overall and by attribute and group; distances by group.

    Raises
    ------
    UserError
        If there are not two prompts, an example has not one text of its own, or a column is missing.
    """
    test, sensitive, distances = embedded.test, settings["sensitive"], settings.get("distances", [])
    n = len(embedded.texts["prompts"])
    if n != 2:
        raise UserError(f"group_fairness needs two prompts, that of 0 and that of 1; found {n}")
    scores = make_scores(
        test.table,
        probabilities(test.images, embedded.texts["prompts"], scale=1.0)[:, 1],
        labels=labels_of(test.table, settings["label"], settings.get("positive")),
        sensitive=sensitive,
        score=own_text_scores(embedded) if distances else None,
        score_square=square_scores(embedded) if any(map(of_square, distances)) else None,
    )
    measures = measure_scores(scores, sensitive=sensitive, distances=distances, rng=rng)
    return Result([found._asdict() for found in measures], scores)


def own_text_scores(embedded: Embedded) -> np.ndarray:
    """exp(logit_scale) * cos(image, its own text): (n,) float32."""
    images, texts = _own_pairs(embedded)
    cosines = np.einsum("nr,nr->n", images, texts)
    return (embedded.scale * cosines + embedded.bias).astype(np.float32)


def square_scores(embedded: Embedded) -> np.ndarray:
    """The diagonal of L L, L the logits of each batch of 32 images and their own texts: (n,) float32."""
    found = []
    for images, texts in zip(*(_batches(part) for part in _own_pairs(embedded)), strict=True):
        logits = embedded.scale * images @ texts.T + embedded.bias
        found.append((logits * logits.T).sum(axis=1))
    return np.concatenate(found).astype(np.float32)


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _own_pairs(embedded: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """Images and their own texts, (n, r) float64 each."""
    images, texts = embedded.test.images, embedded.texts.get("captions")
    if texts is None or len(texts) != len(images):
        found = "no captions" if texts is None else f"{len(texts)} for {len(images)} examples"
        raise UserError(
            f"group_fairness: distances need one text of each example's own, found {found}; "
            "set captions: all in config.yaml, and use a dataset with one caption an example"
        )
    return images.astype(np.float64), texts.astype(np.float64)
