"""Zero-shot classification (section 4.4): the class whose text is nearest.

Settings: ``classes`` and ``templates``; each class is the mean of its prompts' embeddings, as in
big_vision (with ``clip`` the 80 that were published with CLIP, and the bare name).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result, row
from clipfair.evaluate.similarity import cosines
from clipfair.metrics.bootstrap import intervals, means

ROWS_AT_ONCE = 8192


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """``accuracy``: the share of images whose class is nearest; of equally near ones the first counts."""
    table = embedded.test.table
    truth = table["label"].cat.codes.to_numpy()
    starts = range(0, len(table), ROWS_AT_ONCE)
    parts = (embedded.test.images[start : start + ROWS_AT_ONCE] for start in starts)
    predicted = np.concatenate([cosines(part, embedded.texts["classes"]).argmax(axis=1) for part in parts])
    right = (predicted == truth)[:, None].astype(float)
    [between] = intervals(means(right, rng))
    scores = pd.DataFrame({"key": table["key"], "label": truth, "predicted": predicted})
    return Result([row("accuracy", right.mean(), n=len(table), interval=between)], scores)
