"""A linear probe of the image features, fitted to embeddings (docs/fairclip-protocol.md, section 5).

Settings: ``label`` (``positive``), ``sensitive`` and ``support`` as for group_fairness; ``validation`` (the
split of the support that chooses the epoch; the rest is trained on), ``feature`` (``embedding``, the output
of the image tower, or ``pre-logits``) and those of :class:`clipfair.evaluate.probe.head.ProbeSettings`.
``head: logistic`` fits a logistic regression instead (:mod:`clipfair.evaluate.probe.logistic`).

Embeddings are not augmented and have unit length; the papers' probes augment and do not normalise. With
``augmented: true`` the probe needs the images and is fitted by :mod:`clipfair.evaluate.probe.augmented`.
"""

from collections.abc import Mapping

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.probe.evaluation import find_validation, measure_probe
from clipfair.evaluate.protocol import Embedded, Result, Sample
from clipfair.metrics.labels import binary_labels

# Feature -> the attribute of Sample that holds it.
FEATURES = {"embedding": "images", "pre-logits": "features"}


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """The metrics of group_fairness for the test examples, without distances.

    Raises
    ------
    UserError
        If the support has no validation or no training examples, the model does not have the features, or the
        probe cannot be fitted.
    """
    import torch

    from clipfair.evaluate.probe.head import LabelledFeatures, fit_probe, read_probe_settings
    from clipfair.evaluate.probe.logistic import fit_logistic

    support, test = embedded.support, embedded.test
    validation = find_validation(None if support is None else support.table, settings["validation"])
    samples = {"training": _select(support, ~validation), "validation": _select(support, validation)}
    parts = {
        name: LabelledFeatures(
            torch.from_numpy(_features(sample, settings["feature"])),
            binary_labels(sample.table, settings["label"], settings.get("positive")),
        )
        for name, sample in {**samples, "test": test}.items()
    }
    if settings.get("head") == "logistic":
        fitted = fit_logistic(**parts)
        return measure_probe(test.table, fitted.p, parts["test"].labels, settings, rng)
    fitted = fit_probe(
        lambda rows: parts["training"].features[rows],
        parts["training"].labels,
        validation=parts["validation"],
        test=parts["test"],
        settings=read_probe_settings(settings),
        generator=torch.Generator().manual_seed(embedded.seed),
    )
    return measure_probe(test.table, fitted.p, parts["test"].labels, settings, rng)


def _select(sample: Sample, rows: np.ndarray) -> Sample:
    return Sample(sample.table[rows].reset_index(drop=True), sample.images[rows], sample.features[rows])


def _features(sample: Sample, feature: str) -> np.ndarray:
    if feature not in FEATURES:
        raise UserError(f"linear_probe: feature {feature!r} is unknown; known: {', '.join(FEATURES)}")
    values = getattr(sample, FEATURES[feature])
    if not values.shape[1]:
        raise UserError(f"linear_probe: the model has no {feature}; set another feature in the configuration")
    return values.astype(np.float32)
