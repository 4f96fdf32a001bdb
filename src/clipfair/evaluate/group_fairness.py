"""How well and how fairly a model tells a label from an image and two prompts; how far groups' scores are.

Settings: ``label`` (a column; ``positive``, its value that is 1, if it is not 0 and 1), ``prompts`` (that of
0, that of 1), ``sensitive`` (columns), ``distances`` (among ``sinkhorn``, ``wasserstein``, ``scale_free``;
they need ``captions``, each example's own text).

The probability of 1 is the softmax over the two plain cosines, without the temperature, as in the papers:
it stays close to 0.5 (section 2). The score is the logit of the image with its own text, temperature
included: the diagonal of the model's logits (section 4).
"""

from collections.abc import Mapping

import numpy as np

from clipfair.console import UserError
from clipfair.evaluate.protocol import Embedded, Result
from clipfair.evaluate.similarity import probabilities
from clipfair.fairness import labels_of, make_scores, measure_scores


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
    )
    measures = measure_scores(scores, sensitive=sensitive, distances=distances, rng=rng)
    return Result([found._asdict() for found in measures], scores)


def own_text_scores(embedded: Embedded) -> np.ndarray:
    """exp(logit_scale) * cos(image, its own text): (n,) float32."""
    images, texts = embedded.test.images, embedded.texts.get("captions")
    if texts is None or len(texts) != len(images):
        found = "no captions" if texts is None else f"{len(texts)} for {len(images)} examples"
        raise UserError(
            f"group_fairness: distances need one text of each example's own, found {found}; "
            "set captions: all in config.yaml, and use a dataset with one caption an example"
        )
    cosines = np.einsum("nr,nr->n", images.astype(np.float64), texts.astype(np.float64))
    return (embedded.scale * cosines + embedded.bias).astype(np.float32)
