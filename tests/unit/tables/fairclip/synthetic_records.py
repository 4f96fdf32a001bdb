"""Synthetic evaluations of fine-tuned models in the format of metrics.json, and a table's settings."""

from dataclasses import asdict
from itertools import product

import numpy as np
import pandas as pd

from clipfair.core.io import write_json
from clipfair.core.paths import Run
from clipfair.tables.common.records import read_records

GROUPS = {
    "race": ["asian", "black", "white"],
    "gender": ["female", "male"],
    "ethnicity": ["non-hispanic", "hispanic"],
    "language": ["english", "spanish", "other"],
}
# The effect of a method on AUC, on the size of the score, and on the distances that do not depend on it.
METHODS = {
    "clip": (-0.15, 1.0, 1.0),
    "clip-ft": (0.0, 1.3, 1.0),
    "fairclip-released": (-0.03, 0.1, 0.9),
    "fairclip-corrected": (-0.002, 1.25, 1.0),
    "a-fairclip": (-0.04, 0.5, 0.7),
    "fairclip-plus": (-0.01, 0.8, 0.8),
    "mmd-gaussian-released": (0.0, 1.3, 1.0),
}
EVALUATIONS = {
    "fairvlmed-test": {"kind": "group_fairness", "dataset": "fundus", "split": "test"},
    "fairvlmed-probe": {"kind": "linear_probe", "dataset": "fundus", "split": "test"},
}


def grid(methods, attrs=("none",), lams=("0",), **other):
    """A training grid in a builder's settings."""
    lists = {"balances": ["none"], "models": ["tiny"], "seeds": [0, 1, 2], "evaluations": ["fairvlmed-test"]}
    chosen = {"methods": list(methods), "attrs": list(attrs), "lams": list(lams), "recipe": "fine"}
    return {"dataset": "fundus", **lists, **chosen, **other}


GRIDS = {
    "clip": grid(["clip", "clip-ft", "mmd-gaussian-released"]),
    "single": grid(["fairclip-released", "fairclip-corrected", "a-fairclip"], GROUPS, ["1e-7"]),
    "plus": grid(["fairclip-plus"], ["race-gender"], ["1e-5"]),
}
ROWS = {
    "clip": {"name": "CLIP", "published": "CLIP"},
    "clip-ft": {"name": "CLIP-FT", "published": "CLIP-FT"},
    "fairclip-released": {"name": "FairCLIP as released", "published": "FairCLIP-{attr}"},
    "fairclip-corrected": {"name": "FairCLIP corrected", "published": None},
    "a-fairclip": {"name": "A-FairCLIP", "published": "A-FairCLIP-{attr}"},
    "fairclip-plus": {"name": "FairCLIP+", "published": "FairCLIP+"},
}


def settings(table="fairclip/zero-shot", grids=None, rows=None, **other):
    """The settings of a builder."""
    given = {
        "table": table,
        "study": "paper",
        "published": None,
        "incomparable": "",
        "grids": GRIDS if grids is None else grids,
        "rows": ROWS if rows is None else rows,
        "encoders": {"tiny": "ViT-B/16"},
        "evaluations": EVALUATIONS,
        "seeds": [0, 1, 2],
    }
    return {**given, **other}


def runs_of(grids):
    """Every run of some grids with its evaluations."""
    for one in grids.values():
        levels = (one[key] for key in ("balances", "models", "methods", "attrs", "lams", "seeds"))
        for combination in product(*levels):
            yield Run(one["dataset"], *combination), one["evaluations"]


def write_runs(folder, grids, change=lambda run, rows: rows, lines=EVALUATIONS):
    """Write the evaluations of every run of ``grids``; the folders of their batches."""
    batches = {}
    for run, evaluations in runs_of(grids):
        batch = folder / run.batch
        batches[str(batch)] = None
        for evaluation in evaluations:
            entry = lines[evaluation]
            record = {"run": asdict(run), "evaluation": evaluation, **entry}
            record |= {
                "model_digest": "",
                "data_digest": "",
                "rows": change(run, make_rows(run, entry["kind"])),
            }
            write_json(batch / f"seed~{run.seed}" / f"on~{evaluation}" / "metrics.json", record)
    return list(batches)


def read_runs(folder, grids, change=lambda run, rows: rows, lines=EVALUATIONS):
    """The records of synthetic evaluations."""
    return read_records(write_runs(folder, grids, change, lines))


def planted(change):
    """An edit of evaluations: every value becomes ``change(run, row)``, or stays if that is None."""

    def edit(run, rows):
        changed = [(row, change(run, row)) for row in rows]
        return [row if value is None else {**row, "value": value} for row, value in changed]

    return edit


def write_epochs(folder, grids, methods=tuple(METHODS), n=6):
    """The epochs of every run of ``methods``; the key of each run -> its file."""
    files = {}
    for run, _ in runs_of(grids):
        if run.method not in methods or run.method == "clip":
            continue
        rng = np.random.default_rng([1, run.seed, *run.key.encode()])
        lines = []
        for epoch in range(n + 1):
            for split in ("val", "test"):
                for row in make_rows(run, "group_fairness"):
                    value = row["value"]
                    if row["metric"].startswith("distance"):
                        value *= float(np.exp(-0.3 * epoch + 0.1 * rng.standard_normal()))
                    else:
                        value += 0.01 * float(rng.standard_normal())
                    named = {name: row[name] for name in ("metric", "label", "group")}
                    lines.append({"epoch": epoch, "split": split, **named, "value": value})
        path = folder / run.key / "epochs.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(lines).to_csv(path, index=False)
        files[run.key] = str(path)
    return files


def make_rows(run, kind):
    """Plausible values that depend on the method, the model and the seed alone."""
    rng = np.random.default_rng([run.seed, *run.key.encode()])
    gain, size, shape = METHODS[run.method]
    base = 0.7 + gain + 0.02 * rng.standard_normal()
    rows = [_row("auc", base), _row("accuracy", base - 0.05), _row("selection_rate", 0.5)]
    for attribute, groups in GROUPS.items():
        gap = float(abs(0.05 + 0.02 * rng.standard_normal()))
        for measure, value in [
            ("es_auc", base / (1 + gap)),
            ("es_accuracy", (base - 0.05) / (1 + gap)),
            ("dpd", gap),
            ("deodds", 1.5 * gap),
            ("disparity_std", gap / 2),
            ("disparity_range", gap),
        ]:
            rows.append(_row(measure, value, attribute))
        for place, group in enumerate(groups):
            value = base + gap * (place - 1) / 2
            rows += [_row(name, value - shift, attribute, group, n=100 * (place + 1)) for name, shift in [
                ("auc", 0), ("accuracy", 0.05), ("selection_rate", 0.2)]]  # fmt: skip
            if kind == "group_fairness":
                free = shape * 0.02 * (1 + place) * float(np.exp(0.2 * rng.standard_normal()))
                exact = free * (size * 3) ** 2
                distances = {"wasserstein": exact, "scale_free": free, "sinkhorn": exact / (1 + exact)}
                square = exact**2
                distances |= {"square_wasserstein": square, "square_scale_free": free}
                distances |= {"square_sinkhorn": square / (1 + square)}
                rows += [_row(f"distance_{name}", x, attribute, group) for name, x in distances.items()]
    return rows


def _row(metric, value, label=None, group=None, n=600):
    row = {"examples": 21000, "metric": metric, "label": label, "group": group, "value": value, "n": n}
    return {**row, "low": None, "high": None, "reason": None}
