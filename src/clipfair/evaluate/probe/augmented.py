"""Linear probes of all runs of one batch, fitted to augmented pictures.

The files are those of an evaluation, so that tables read both alike: ``metrics.json`` and ``scores.parquet``
in ``seed~<s>/on~<evaluation>/``; and ``log.csv``, the AUC of every validation.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError
from clipfair.core.io import read_json, sha256_of, write_csv, write_json, write_parquet
from clipfair.core.provenance import weights_digest
from clipfair.data.rows import read_table, support_rows, test_rows
from clipfair.evaluate.probe.crops import Pictures
from clipfair.evaluate.probe.head import Fitted, ProbeSettings, Split, fit_probe
from clipfair.metrics import labels_of, make_scores, measure_scores
from clipfair.models.build import build
from clipfair.models.interface import BuiltModel

AT_ONCE = 64


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
        The runs of one batch, each with ``run`` (the seven levels), ``line`` (the model's line of the
        registry), ``weights`` (a file; None for random ones) and ``spec`` (the training's, or None).
    dataset
        ``table`` (prepared) and ``raw`` (folder) of the dataset of all ``evaluations``.
    evaluations
        id -> line of the registry, kind ``linear_probe`` with ``augmented: true``; its settings are those of
        :mod:`clipfair.evaluate.kinds.linear_probe`. An ``embedding`` is the tower's output as it comes.

    Raises
    ------
    UserError
        If a picture does not open, the model has no such feature, or a probe cannot be fitted.
    """
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    table, digest = read_table(dataset["table"]), sha256_of(dataset["table"])
    for name, line in evaluations.items():
        parts = split_rows(line, table)
        labels = {
            part: labels_of(table[rows], line["label"], line.get("positive")) for part, rows in parts.items()
        }
        pictures: dict[str, Pictures] = {}
        for model in models:
            built = build(model["line"], model["weights"], model["run"]["seed"])
            built.model.to(device).eval()
            pictures = pictures or {
                part: Pictures(table[rows], dataset["raw"], size=built.size, threads=threads)
                for part, rows in parts.items()
            }
            fitted = fit(built, pictures, labels, line, seed=model["run"]["seed"], device=device)
            tested = table[parts["test"]].reset_index(drop=True)
            scores = make_scores(tested, fitted.p, labels=labels["test"], sensitive=line["sensitive"])
            folder = Path(out_dir, f"seed~{model['run']['seed']}", f"on~{name}")
            _write(folder, name, line, model, digest, scores, fitted)


def split_rows(line: Mapping, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which rows are trained on, choose the epoch, and are tested; (n,) bool each.

    Raises
    ------
    UserError
        If the support has no validation or no training examples.
    """
    support = support_rows(line, table)
    chosen = support & (table["split"] == line["validation"]).to_numpy()
    if not chosen.any() or chosen.sum() == support.sum():
        raise UserError(
            f"linear_probe: the support must have examples of the split {line['validation']!r} and others; "
            "set e.g. support: {split: [train, val]} and validation: val in config.yaml"
        )
    return {"training": support & ~chosen, "validation": chosen, "test": test_rows(line, table)}


def fit(
    built: BuiltModel,
    pictures: Mapping[str, Pictures],
    labels: Mapping[str, np.ndarray],
    line: Mapping,
    *,
    seed: int,
    device: str,
) -> Fitted:
    """A probe of one model.

    What is not augmented is seen once. The augmentation has a generator of its own.
    """
    extract = extractor(built.model, line["feature"])
    augmentation = torch.Generator().manual_seed(seed + 1)

    def see(pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            parts = [extract(built.normalise(part.to(device))).float() for part in pixels.split(AT_ONCE)]
        return torch.cat(parts).clone()  # out of inference mode

    def squeezed(part: str) -> Split:
        rows = torch.arange(len(labels[part])).split(AT_ONCE)
        features = torch.cat([see(pictures[part].squeezed(chunk.tolist())) for chunk in rows])
        return Split(features, labels[part])

    chosen = {field.name: line[field.name] for field in fields(ProbeSettings) if field.name in line}
    return fit_probe(
        lambda rows: see(pictures["training"].augmented(rows.tolist(), augmentation)),
        labels["training"],
        validation=squeezed("validation"),
        test=squeezed("test"),
        settings=ProbeSettings(**chosen),
        generator=torch.Generator().manual_seed(seed),
    )


def extractor(model: nn.Module, feature: str) -> Callable[[Tensor], Tensor]:
    """Prepared pictures -> features: ``embedding``, the output of the image tower, or ``pre-logits``.

    Raises
    ------
    UserError
        If the model has none.
    """
    if feature == "embedding":
        return model.encode_image
    if feature == "pre-logits" and hasattr(model.visual, "trunk"):
        return model.visual.trunk
    raise UserError(
        f"linear_probe: the model has no feature {feature!r}; set feature: embedding in config.yaml"
    )


def _write(
    folder: Path,
    name: str,
    line: Mapping,
    model: Mapping,
    data_digest: str,
    scores: pd.DataFrame,
    fitted: Fitted,
) -> None:
    examples = 0 if model["spec"] is None else read_json(model["spec"])["examples"]
    rng = np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:16], 16))
    measures = measure_scores(scores, sensitive=line["sensitive"], distances=[], rng=rng)
    record: dict[str, Any] = {
        "run": dict(model["run"]),
        "evaluation": name,
        "kind": line["kind"],
        "dataset": line["dataset"],
        "split": line["split"],
        "model_digest": weights_digest(model["line"], model["weights"], model["run"]["seed"]),
        "data_digest": data_digest,
        "rows": [{"examples": examples, **found._asdict()} for found in measures],
    }
    write_csv(folder / "log.csv", pd.DataFrame(fitted.log))
    write_parquet(folder / "scores.parquet", scores.assign(examples=examples))
    write_json(folder / "metrics.json", record)
