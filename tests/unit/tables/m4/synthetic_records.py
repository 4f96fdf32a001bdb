"""Synthetic records of trained models with known effects."""

from itertools import product

import numpy as np
import pandas as pd

from clipfair.tables.common.records import COLUMNS

MODELS = {
    "s-384": {"kind": "vit", "vision": "S/32", "text": "S", "dim": 384},
    "s-768": {"kind": "vit", "vision": "S/32", "text": "S", "dim": 768},
    "b-384": {"kind": "vit", "vision": "B/32", "text": "B", "dim": 384},
    "b-768": {"kind": "vit", "vision": "B/32", "text": "B", "dim": 768},
    "b16": {"kind": "vit", "vision": "B/16", "text": "B", "dim": 768},
    "siglip": {"kind": "vit", "vision": "B/16", "text": "B", "dim": 768},
}
SCHEDULES = {
    f"{first}-{share}-{second}": [[first, share / 100], [second, 1 - share / 100]]
    for first, second in (("baseline", "proxies"), ("proxies", "baseline"))
    for share in (10, 90)
}
OCCUPATIONS = {"nurse": -0.05, "judge": 0.02, "mechanic": 0.03}
EVALUATIONS = {
    "rb": {"kind": "representation", "dataset": "imagenet", "split": "val"},
    "faces": {"kind": "association", "dataset": "fairface", "split": "val"},
    "scenes": {"kind": "association", "dataset": "miap", "split": "test"},
    "zero": {"kind": "zero_shot", "dataset": "pets", "split": "test"},
    "few": {"kind": "few_shot", "dataset": "pets", "split": "test"},
    "search": {"kind": "retrieval", "dataset": "coco", "split": "test"},
}
CHECKPOINTS = (250, 500, 1000)

# The planted effects of the last and of the whole training distribution: the paper's findings.
PARITY = {"baseline": 0.4, "balanced": 0.2, "proxies": 0.1, "drop-human": 0.4, "neutralise": 0.3}
ASSOCIATION = {"baseline": 0.3, "balanced": 0.1, "proxies": 0.15, "drop-human": 0.3, "neutralise": 0.3}
QUALITY = {"baseline": 0.0, "balanced": 0.02, "proxies": 0.02, "drop-human": 0.03, "neutralise": 0.0}


def grid(balances, models, *, seeds=range(3), evaluations=EVALUATIONS, dataset="web", method="clip"):
    """A grid in the settings of a table."""
    return {
        "dataset": dataset,
        "balances": list(balances),
        "models": list(models),
        "methods": [method],
        "attrs": ["none"],
        "lams": ["0"],
        "recipe": "short",
        "seeds": list(seeds),
        "evaluations": list(evaluations),
    }


def settings_of(table, grids, **settings):
    """The settings of a builder."""
    named = [model for entry in grids.values() for model in entry["models"]]
    balances = {balance for entry in grids.values() for balance in entry["balances"]}
    return {
        "table": f"m4/{table}",
        "study": "embedded",
        "published": None,
        "notes": [],
        "incomparable": "synthetic data",
        "grids": grids,
        "seeds": sorted({seed for entry in grids.values() for seed in entry["seeds"]}),
        "models": {name: MODELS[name] for name in dict.fromkeys(named)},
        "schedules": {name: stages for name, stages in SCHEDULES.items() if name in balances},
        "evaluations": {name: EVALUATIONS[name] for entry in grids.values() for name in entry["evaluations"]},
        **settings,
    }


def make_records(grids, *, noise=0.02, checkpoints=CHECKPOINTS, seed=0):
    """Records of every run of the grids, in the columns of read_records."""
    rng = np.random.default_rng(seed)
    rows = []
    for one in grids.values():
        for balance, model, run_seed in product(one["balances"], one["models"], one["seeds"]):
            levels = (one["dataset"], balance, model, one["methods"][0], "none", "0", run_seed)
            for name in one["evaluations"]:
                entry = EVALUATIONS[name]
                evaluation = (name, entry["kind"], entry["dataset"], entry["split"])
                at_all = entry["kind"] in ("representation", "association")
                for examples in checkpoints if at_all else checkpoints[-1:]:
                    made = _metrics(entry["kind"], balance, examples / checkpoints[-1], one["dataset"])
                    for metric, label, group, value in made:
                        noisy = value + rng.normal(0, noise)
                        row = (examples, metric, label, group, noisy, 100, noisy - 0.05, noisy + 0.05)
                        rows.append((*levels, *evaluation, *row))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"label": "str", "group": "str"}).drop_duplicates([*COLUMNS[:15]], ignore_index=True)


def _stages(balance):
    return SCHEDULES.get(balance, [[balance, 1.0]])


def _metrics(kind, balance, progress, dataset):
    """The true values of one checkpoint: metric, label, group, value."""
    fair = 0.0 if dataset == "fair" else 1.0
    stages = _stages(balance)
    parity = fair * PARITY[stages[-1][0]]
    association = fair * sum(share * ASSOCIATION[name] for name, share in stages) * (0.5 + 0.5 * progress)
    quality = sum(share * QUALITY[name] for name, share in stages)
    if kind == "representation":
        return [("parity_mean", None, None, parity), ("parity_median", None, None, 0.8 * parity)]
    if kind == "association":
        signed = [
            ("association", name, None, 2 * association * np.sign(at)) for name, at in OCCUPATIONS.items()
        ]
        return [
            ("association_mean", None, None, association),
            ("association_median", None, None, 0.8 * association),
            ("pairwise_max", None, None, 1.2 * association),
            ("gender_accuracy", None, None, 0.8),
            ("gender_log_loss", None, None, 0.55),
            ("gender_log_loss", None, "man", 0.5),
            ("gender_log_loss", None, "woman", 0.6),
            *signed,
        ]
    if kind == "retrieval":
        recalls = [(f"{way}_recall_{k}", 0.3 + 0.04 * k) for way in _WAYS for k in (1, 5, 10)]
        return [(name, None, None, value - quality) for name, value in recalls]
    if kind == "few_shot":
        labels = [None, "draw 0", "draw 1"]
        return [
            (f"accuracy_{k}shot", label, None, 0.5 + 0.01 * k + quality)
            for k in (1, 5, 10, 25)
            for label in labels
        ]
    return [("accuracy", None, None, 0.5 + quality)]


_WAYS = ("text_to_image", "image_to_text")


CONDITIONS = ["baseline", "balanced", "proxies"]
SWEEP = {"sweep": grid(CONDITIONS, ["s-384", "b-768"]), "b16": grid(CONDITIONS, ["b16"])}
# Settings of tables.
PARITY_SETTINGS = {"metric": "parity_mean", "shown": {"rb": "ImageNet"}}
ASSOCIATION_SETTINGS = {"metric": "association_mean", "shown": {"faces": "FairFace", "scenes": "MIAP"}}
