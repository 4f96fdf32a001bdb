"""A linear probe of the image features (section 5 of the FairCLIP protocol), fitted to embeddings.

Settings: ``label`` (``positive``), ``sensitive`` and ``support`` as for group_fairness; ``validation`` (the
split of the support that chooses the epoch; the rest of it is trained on), ``feature`` (``embedding``, the
image tower's output, or ``pre-logits``) and those of :class:`clipfair.evaluate.probe.head.ProbeSettings`.

Embeddings have no augmentation and are of unit length; the papers' probes augment, and do not normalise.
With ``augmented: true`` the pictures are needed: :mod:`clipfair.evaluate.probe` then does the same.
"""

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Embedded, Result, Sample
from clipfair.metrics import labels_of, make_scores, measure_scores

FEATURES = {"embedding": "images", "pre-logits": "features"}


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """Metrics of the test examples as group_fairness has them, less the distances.

    Raises
    ------
    UserError
        If the support has no validation or no training examples, the model has no such features, or the
        probe cannot be fitted.
    """
    import torch

    from clipfair.evaluate.probe.head import ProbeSettings, Split, fit_probe

    training, validation = _parts(embedded.support, settings["validation"])
    features, labels = {}, {}
    for name, sample in (("training", training), ("validation", validation), ("test", embedded.test)):
        features[name] = torch.from_numpy(_features(sample, settings["feature"]))
        labels[name] = labels_of(sample.table, settings["label"], settings.get("positive"))
    chosen = {field.name: settings[field.name] for field in fields(ProbeSettings) if field.name in settings}
    fitted = fit_probe(
        lambda rows: features["training"][rows],
        labels["training"],
        validation=Split(features["validation"], labels["validation"]),
        test=Split(features["test"], labels["test"]),
        settings=ProbeSettings(**chosen),
        generator=torch.Generator().manual_seed(embedded.seed),
    )
    scores = make_scores(
        embedded.test.table, fitted.p, labels=labels["test"], sensitive=settings["sensitive"]
    )
    measures = measure_scores(scores, sensitive=settings["sensitive"], distances=[], rng=rng)
    return Result([found._asdict() for found in measures], scores)


def _parts(support: Sample | None, split: str) -> tuple[Sample, Sample]:
    """What is trained on, and what chooses the epoch."""
    chosen = None if support is None else (support.table["split"] == split).to_numpy()
    if chosen is None or chosen.all() or not chosen.any():
        raise UserError(
            f"linear_probe: the support must have examples of the split {split!r} and others; "
            "set e.g. support: {split: [train, val]} and validation: val in config.yaml"
        )
    return _select(support, ~chosen), _select(support, chosen)


def _select(sample: Sample, rows: np.ndarray) -> Sample:
    return Sample(sample.table[rows].reset_index(drop=True), sample.images[rows], sample.features[rows])


def _features(sample: Sample, feature: str) -> np.ndarray:
    if feature not in FEATURES:
        raise UserError(f"linear_probe: feature {feature!r} is unknown; known: {', '.join(FEATURES)}")
    values = getattr(sample, FEATURES[feature])
    if not values.shape[1]:
        raise UserError(f"linear_probe: the model has no {feature}; set another feature in config.yaml")
    return values.astype(np.float32)
