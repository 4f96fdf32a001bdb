"""Deep feature reweighting: decisions of a last layer that is fitted to group-balanced validation data.

Settings: those of the kind threshold_free without ``prompts`` and ``captions``, and ``balanced``, the
attribute whose cells with the label are balanced.

One random half of the support fits the layer (:mod:`clipfair.evaluate.probe.reweighting`) to the image
embeddings. The other half chooses its penalty, then the threshold and the recalibration of threshold_free.
Kirichenko et al. (2023) fit the layer again to all validation data, and have no threshold. The metrics are
those of threshold_free; the decision margin is the logit of the layer.
"""

from collections.abc import Mapping

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.margins import join_parts, make_part, measure_parts
from clipfair.evaluate.probe.reweighting import CellFeatures, fit_head, split_in_halves
from clipfair.evaluate.protocol import Embedded, Result, Sample
from clipfair.metrics.labels import binary_labels, find_column


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """The metrics of threshold_free; the scores are the logits of test and of the half that chooses.

    Raises
    ------
    UserError
        If a column is missing, or a cell has fewer than two examples in the support.
    """
    support = embedded.support
    cells = find_support_cells(support, settings)
    known = np.flatnonzero(cells >= 0)
    first, second = (known[rows] for rows in split_in_halves(cells[known], rng))
    examples = CellFeatures(support.images.astype(np.float64), cells % 2, cells)
    head = fit_head(examples.of(first), examples.of(second), rng=rng)
    table = support.table.iloc[second].reset_index(drop=True)
    held_out = Sample(table, support.images[second], support.features[second])
    validation, test = (
        make_part(sample, head.logits(sample.images.astype(np.float64)), settings)
        for sample in (held_out, embedded.test)
    )
    return Result(measure_parts(validation, test, settings, rng), join_parts(validation, test))


def find_support_cells(support: Sample, settings: Mapping) -> np.ndarray:
    """The number of each example's cell, 2 g + y for group g of the balanced attribute and label y; (n,).

    -1 where the group is not known.

    Raises
    ------
    UserError
        As in :func:`evaluate`.
    """
    attribute = settings["balanced"]
    column = find_column(support.table, attribute).astype("category").cat.remove_unused_categories()
    labels = binary_labels(support.table, settings["label"], settings.get("positive"))
    codes = column.cat.codes.to_numpy().astype(np.int64)
    cells = np.where(codes >= 0, 2 * codes + labels, -1)
    for cell in range(2 * len(column.cat.categories)):
        count = int(np.sum(cells == cell))
        if count < 2:
            group = column.cat.categories[cell // 2]
            raise UserError(
                f"deep_feature_reweighting: {attribute} {group} has {count} examples of label {cell % 2} "
                "in the support; expected 2 or more: choose a larger support, or balance another attribute"
            )
    return cells
