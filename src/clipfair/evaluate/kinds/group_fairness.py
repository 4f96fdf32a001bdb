"""Quality and fairness of a label predicted from two prompts; distances between the scores of groups.

Settings: ``label`` (a column; ``positive`` is the value that becomes 1, unless the column is 0 and 1),
``prompts`` (of 0, of 1), ``sensitive`` (columns), ``distances`` (metric -> settings of a distance,
:mod:`clipfair.metrics.distances`; they need ``captions``, the text of each example).

The probability of 1 is the softmax over the two cosines without the temperature, as in the papers, so it is
close to 0.5 (docs/fairclip-protocol.md, section 2). The score is the logit of the image with its own text,
temperature included: the diagonal of the logits L. The released evaluation, and so the published distances,
used the diagonal of L L, in batches of 32 in the order of the table (section 4); ``square_*`` are distances
of that score.
"""

from collections.abc import Mapping

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.own_texts import own_text_scores, square_scores
from clipfair.evaluate.protocol import Embedded, Result
from clipfair.evaluate.similarity import probabilities
from clipfair.metrics.labels import binary_labels
from clipfair.metrics.scores import make_scores, measure_scores, score_column


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Metrics of the test examples, overall and by attribute and group; distances by group.

    Raises
    ------
    UserError
        If there are not two prompts, an example does not have exactly one text, a distance is unknown, or a
        column is missing.
    """
    test, sensitive, distances = embedded.test, settings["sensitive"], settings.get("distances", {})
    n = len(embedded.texts["prompts"])
    if n != 2:
        raise UserError(f"group_fairness: expected two prompts, of label 0 and of label 1; found {n}")
    columns = set(map(score_column, distances))
    scores = make_scores(
        test.table,
        probabilities(test.images, embedded.texts["prompts"], scale=1.0)[:, 1],
        labels=binary_labels(test.table, settings["label"], settings.get("positive")),
        sensitive=sensitive,
        score=own_text_scores(embedded) if distances else None,
        score_square=square_scores(embedded) if "score_square" in columns else None,
    )
    measures = measure_scores(scores, sensitive=sensitive, rng=rng)
    if distances:
        from clipfair.metrics.score_distances import measure_distances  # late: torch's import takes seconds

        measures += measure_distances(scores, sensitive=sensitive, distances=distances)
    return Result(measures, scores)
