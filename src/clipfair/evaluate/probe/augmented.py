"""Linear probes of all runs of one batch, fitted to augmented images (docs/fairclip-protocol.md, section 5).

The files are those of an evaluation, so that tables read both alike: ``metrics.json`` and ``scores.parquet``
in ``seed~<s>/on~<evaluation>/``. ``log.csv`` has the AUC of every validation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clipfair.core.io import read_json, sha256_of, write_csv
from clipfair.core.provenance import weights_digest
from clipfair.data.rows import read_table, select_rows, select_support
from clipfair.evaluate.outputs import make_generator, write_evaluation
from clipfair.evaluate.probe.crops import ProbeImages
from clipfair.evaluate.probe.evaluation import find_validation, measure_probe
from clipfair.evaluate.probe.features import (
    AT_ONCE,
    active_dropout,
    best_query_probability,
    extractor,
    own_texts,
    text_features,
)
from clipfair.evaluate.probe.head import FittedProbe, LabelledFeatures, fit_probe, read_probe_settings
from clipfair.evaluate.probe.logistic import fit_logistic
from clipfair.metrics.labels import binary_labels
from clipfair.metrics.prediction import auc
from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from clipfair.models.placement import to_device


def fit_probes(
    models: Sequence[Mapping],
    dataset: Mapping[str, str],
    evaluations: Mapping[str, Mapping],
    out_dir: str,
    *,
    threads: int = 1,
) -> None:
    """Fit and measure every probe of every model.

    Parameters
    ----------
    models
        The runs of one batch, each with ``run`` (the seven levels), ``settings`` (the model's entry of
        the configuration), ``weights`` (a file; None for random weights) and ``spec`` (the training's
        spec.json, or None).
    dataset
        ``table`` (prepared) and ``raw`` (folder) of the dataset of all ``evaluations``.
    evaluations
        id -> entry of the configuration, kind ``linear_probe`` with ``augmented: true``; its settings are
        those of :mod:`clipfair.evaluate.kinds.linear_probe`. The feature ``embedding`` is the output of the
        image tower without normalisation.

    Raises
    ------
    UserError
        If an image does not open, the model does not have the feature, or a probe cannot be fitted.
    """
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    table, digest = read_table(dataset["table"]), sha256_of(dataset["table"])
    for name, settings in evaluations.items():
        parts = split_table(table, settings)
        labels = _labels(parts, settings)
        texts = {part: own_texts(rows, settings) for part, rows in parts.items()}
        images: dict[str, ProbeImages] = {}
        for model in models:
            seed = model["run"]["seed"]
            built = build(model["settings"], model["weights"], seed)
            built.model.to(device).eval()
            images = images or {
                part: ProbeImages(rows, dataset["raw"], size=built.size, threads=threads)
                for part, rows in parts.items()
            }
            fitted = fit(built, images, labels, texts, settings, seed=seed, device=device)
            result = measure_probe(parts["test"], fitted.p, labels["test"], settings, make_generator(name))
            folder = Path(out_dir, f"seed~{seed}", f"on~{name}")
            write_csv(folder / "log.csv", pd.DataFrame(fitted.log))
            examples = 0 if model["spec"] is None else read_json(model["spec"])["examples"]
            write_evaluation(
                folder,
                {examples: result},
                run=model["run"],
                evaluation=name,
                settings=settings,
                model_digest=weights_digest(model["settings"], model["weights"], seed),
                data_digest=digest,
            )


def split_table(table: pd.DataFrame, settings: Mapping) -> dict[str, pd.DataFrame]:
    """The rows of ``training``, ``validation`` (choose the epoch) and ``test``, each indexed from 0.

    Raises
    ------
    UserError
        If the support has no validation or no training examples.
    """
    support = table[select_support(settings, table)]
    validation = find_validation(support, settings["validation"])
    parts = {
        "training": support[~validation],
        "validation": support[validation],
        "test": table[select_rows(settings, table)],
    }
    return {name: part.reset_index(drop=True) for name, part in parts.items()}


def _labels(parts: Mapping[str, pd.DataFrame], settings: Mapping) -> dict[str, np.ndarray]:
    return {
        part: binary_labels(rows, settings["label"], settings.get("positive")) for part, rows in parts.items()
    }


def fit(
    built: BuiltModel,
    images: Mapping[str, ProbeImages],
    labels: Mapping[str, np.ndarray],
    texts: Mapping[str, list[str] | None],
    settings: Mapping,
    *,
    seed: int,
    device: str,
) -> FittedProbe:
    """The probe of one model.

    Validation and test images are not augmented and are encoded once, in evaluation mode. The augmentation
    has a generator of its own, which also seeds the dropout. ``texts`` are a second feature, which is
    concatenated with that of the images; None for images alone.
    """
    head = settings.get("head")
    if head == "best-query":
        return _classify_by_prompts(built, images, labels, settings, device=device)
    extract = extractor(built.model, settings["feature"])
    augmentation = torch.Generator().manual_seed(seed + 1)
    of_texts = {
        part: None if of_part is None else text_features(built, of_part, device=device)
        for part, of_part in texts.items()
    }

    def encode(part: str, rows: Tensor, pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            batches = (to_device(batch, device) for batch in pixels.split(AT_ONCE))
            features = torch.cat([extract(built.normalise(batch)).float() for batch in batches])
        features = features.clone()  # a copy outside inference mode, which autograd accepts
        return _join(features, of_texts[part], rows)

    def encode_resized(part: str) -> LabelledFeatures:
        batches = torch.arange(len(labels[part])).split(AT_ONCE)
        features = [encode(part, rows, images[part].resized(rows.tolist())) for rows in batches]
        return LabelledFeatures(torch.cat(features), labels[part])

    def encode_training(rows: Tensor) -> Tensor:
        pixels = images["training"].augmented(rows.tolist(), augmentation)
        if not settings.get("dropout"):
            return encode("training", rows, pixels)
        with active_dropout(built.model, augmentation):
            return encode("training", rows, pixels)

    evaluated = {part: encode_resized(part) for part in ("validation", "test")}
    if head == "logistic":
        return fit_logistic(encode_resized("training"), **evaluated)
    return fit_probe(
        encode_training,
        labels["training"],
        **evaluated,
        settings=read_probe_settings(settings),
        generator=torch.Generator().manual_seed(seed),
    )


def _join(images: Tensor, texts: Tensor | None, rows: Tensor) -> Tensor:
    """The features of images and, if there are any, of the texts in ``rows``; (b, d)."""
    return images if texts is None else torch.cat([images, texts[to_device(rows, texts.device)]], dim=1)


def _classify_by_prompts(
    built: BuiltModel,
    images: Mapping[str, ProbeImages],
    labels: Mapping[str, np.ndarray],
    settings: Mapping,
    *,
    device: str,
) -> FittedProbe:
    """BLIP2's zero-shot classification in place of a fitted head."""
    prompts = to_device(built.tokenizer(settings["prompts"]), device)

    def predict(part: str) -> np.ndarray:
        with torch.inference_mode():
            batches = torch.arange(len(labels[part])).split(AT_ONCE)
            pixels = (
                built.normalise(to_device(images[part].resized(rows.tolist()), device)) for rows in batches
            )
            return torch.cat([best_query_probability(built, part, prompts) for part in pixels]).cpu().numpy()

    p = {part: predict(part) for part in ("validation", "test")}
    return FittedProbe(p["test"], [{"epoch": 0} | {f"{part}_auc": auc(labels[part], p[part]) for part in p}])
