"""Synthetic evaluations of the units of a question, and the settings of its table."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import product

import numpy as np
import pandas as pd

from clipfair.core.io import write_json
from clipfair.core.paths import Run
from clipfair.tables.common.records import COLUMNS, read_records
from clipfair.tables.questions.measures import DISTANCES, FAIRNESS, FLOOR

METRICS = [*FAIRNESS, "worst_auc", "validation_matched_dpd", *DISTANCES]
OF_KIND = {
    "threshold_free": [*METRICS, *(name + FLOOR for name in FAIRNESS)],
    "group_thresholds": ["matched_dpd", "matched_deodds"],
    "deep_feature_reweighting": ["matched_dpd", "matched_deodds"],
}
OVERALL = {
    "threshold_free": ["auc", "validation_auc"],
    "group_thresholds": ["auc"],
    "deep_feature_reweighting": ["auc"],
    "representation": ["parity_mean"],
    "association": ["association_mean"],
    "zero_shot": ["accuracy"],
    "few_shot": ["accuracy_10shot"],
    "retrieval": ["image_to_text_recall_5", "text_to_image_recall_5"],
}

# From a run, the kind of the evaluation and a metric to the value in metrics.json.
Value = Callable[[Run, str, str], float]


def runs_of(grids: Mapping) -> list[tuple[Run, list[str]]]:
    """Every run of some grids, once, with the evaluations of all of them."""
    found: dict[Run, dict[str, None]] = {}
    for grid in grids.values():
        for levels in product(
            *(grid[name] for name in ("balances", "models", "methods", "attrs", "lams", "seeds"))
        ):
            found.setdefault(Run(grid["dataset"], *levels), {}).update(dict.fromkeys(grid["evaluations"]))
    return [(run, list(evaluations)) for run, evaluations in found.items()]


def rows_of(run: Run, kind: str, value: Value) -> list[dict]:
    """The rows of metrics.json."""
    named = [(name, None) for name in OVERALL[kind]] + [(name, "race") for name in OF_KIND.get(kind, [])]
    same = {"examples": 6300, "group": None, "n": 4000, "low": None, "high": None, "reason": None}
    return [
        {**same, "metric": name, "label": label, "value": value(run, kind, name)} for name, label in named
    ]


def write_units(folder, settings: Mapping, value: Value, *, without=()) -> list[str]:
    """Write metrics.json of every run of a table but those in ``without``; the folders of the batches."""
    batches: dict[str, None] = {}
    for run, evaluations in runs_of(settings["grids"]):
        if run in without:
            continue
        for name in evaluations:
            kind = settings["evaluations"][name]["kind"]
            record = {
                "run": asdict(run),
                "evaluation": name,
                "kind": kind,
                "dataset": run.dataset,
                "split": "test",
            }
            path = folder / run.batch / f"seed~{run.seed}" / f"on~{name}" / "metrics.json"
            write_json(path, {**record, "rows": rows_of(run, kind, value)})
            batches[str(folder / run.batch)] = None
    return list(batches)


def read_units(folder, settings: Mapping, value: Value, *, without=()) -> pd.DataFrame:
    """The records of synthetic evaluations, by way of files."""
    return read_records(write_units(folder, settings, value, without=without))


def make_records(settings: Mapping, value: Value) -> pd.DataFrame:
    """The records of every run of a table, without files."""
    rows = []
    for run, evaluations in runs_of(settings["grids"]):
        for name in evaluations:
            kind = settings["evaluations"][name]["kind"]
            same = {**asdict(run), "evaluation": name, "kind": kind, "on": run.dataset, "split": "test"}
            rows += [{**same, **row} for row in rows_of(run, kind, value)]
    frame = pd.DataFrame(rows)[COLUMNS].astype({"value": float, "low": float, "high": float})
    return frame.astype({"label": "str", "group": "str"})


def noise(run: Run, metric: str, size: float) -> float:
    """A normal number that depends on the run and the metric alone."""
    return size * float(
        np.random.default_rng([run.seed, *run.key.encode(), *metric.encode()]).standard_normal()
    )


def grid(dataset: str, methods, *, attrs=("none",), lams=("0",), seeds=range(8), evaluations=None) -> dict:
    """A grid in the settings of a builder."""
    lists = {"balances": ["none"], "models": ["tiny"], "methods": list(methods), "attrs": list(attrs)}
    chosen = [f"{dataset}-metrics"] if evaluations is None else list(evaluations)
    return {"dataset": dataset, **lists, "lams": list(lams), "seeds": list(seeds), "evaluations": chosen}


def run_value(**given) -> dict:
    """A value of runs as the settings have it."""
    names = ("method", "lam", "model", "balance", "kind", "correlation")
    return {**dict.fromkeys(names), "weight": 1.0, **given}


def contrast(of, less=(), methods=()) -> dict:
    """The contrast of a claim as the settings have it."""
    return {"of": list(of), "less": list(less), "methods": list(methods)}


def claim(name: str, world: str, metric: str, expected: str, margin: float, **given) -> dict:
    """A claim of the plan."""
    texts = {"of": "with", "less": "without", "pilot": None, "repeated": 1}
    return {
        **texts,
        "id": name,
        "world": world,
        "metric": metric,
        "expected": expected,
        "margin": margin,
        **given,
    }
