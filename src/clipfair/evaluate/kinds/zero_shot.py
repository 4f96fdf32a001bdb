"""Zero-shot classification: the class whose text is nearest to the image.

Settings: ``classes`` and ``templates``. A class is the mean of its prompts' embeddings, as in big_vision;
the templates ``clip`` are the 80 published with CLIP and the bare name. CLIP the Bias, section 4.4.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result
from clipfair.evaluate.similarity import cosines
from clipfair.metrics.bootstrap import interval, means
from clipfair.metrics.measure import make_measure

ROWS_AT_ONCE = 8192


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """``accuracy``: the share of images whose class is nearest; of equally near classes the first counts."""
    table = embedded.test.table
    truth = table["label"].cat.codes.to_numpy()
    starts = range(0, len(table), ROWS_AT_ONCE)
    parts = (embedded.test.images[start : start + ROWS_AT_ONCE] for start in starts)
    predicted = np.concatenate([cosines(part, embedded.texts["classes"]).argmax(axis=1) for part in parts])
    correct = (predicted == truth)[:, None].astype(float)
    ends = interval(means(correct, rng)[:, 0])
    scores = pd.DataFrame({"key": table["key"], "label": truth, "predicted": predicted})
    return Result([make_measure("accuracy", correct.mean(), n=len(table), interval=ends)], scores)
