"""Fine-tuning in candidates of the worlds with known fairness, on draws 100 and 101.

    PYTHONPATH=src python benchmarks/worlds/calibrate.py WEIGHTS SCRATCH

WEIGHTS is the folder of the pretrained small model of the study embedded (seed~0/model.safetensors and
seed~1/model.safetensors, of the condition baseline), SCRATCH a folder for data and models. Each candidate is
drawn, prepared, fine-tuned and measured, and its row appended to worlds.csv next to this file. Rows that the
file has are not computed again.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from candidates import CANDIDATES, Candidate

from clipfair.core.numerics import PORTABLE, use_numerics

use_numerics(PORTABLE)

# numpy and torch read the numerics when they are imported.
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from clipfair.core.catalogue import load_catalogue  # noqa: E402
from clipfair.core.paths import CATALOGUE, Run  # noqa: E402
from clipfair.core.provenance import settings_digest  # noqa: E402
from clipfair.data.embedded.generate import generate_world  # noqa: E402
from clipfair.data.embedded.world import make_settings  # noqa: E402
from clipfair.data.prepare import prepare_dataset  # noqa: E402
from clipfair.metrics import threshold_free  # noqa: E402
from clipfair.models.build import build  # noqa: E402
from clipfair.plan.analysis_plan import read_analysis_plan  # noqa: E402
from clipfair.plan.loading import load_study  # noqa: E402
from clipfair.plan.study_plan import StudyPlan  # noqa: E402
from clipfair.plan.training_jobs import training_settings  # noqa: E402
from clipfair.tables.common.table_files import read_table, write_table  # noqa: E402
from clipfair.train.finetuning.epochs import predict_split  # noqa: E402
from clipfair.train.finetuning.examples import Examples, read_splits  # noqa: E402
from clipfair.train.run import train  # noqa: E402

RESULTS = Path(__file__).with_name("worlds.csv")
DRAWS = {100: 0, 101: 1}  # draw -> seed of the pretrained model
PERMUTATIONS = 20
IDENTITY = ("world", "settings", "method", "recipe", "draw")
FORMAT = "harvard-fairvlmed"


def main(weights: str, scratch: str) -> None:
    """Append the rows of the candidates that worlds.csv does not have."""
    plan = load_study("embedded")
    rows = read_table(RESULTS).to_dict("records") if RESULTS.exists() else []
    known = {tuple(row[name] for name in IDENTITY) for row in rows}
    for draw, seed in DRAWS.items():
        start = Path(weights, f"seed~{seed}", "model.safetensors")
        for candidate in CANDIDATES:
            identity = identify(candidate, draw)
            if tuple(identity.values()) not in known:
                found = measure(candidate, draw, plan, str(start), Path(scratch))
                rows.append({"date": datetime.now(UTC).date().isoformat(), **identity, **found})
                write_table(RESULTS, pd.DataFrame(rows), "synthetic")


def identify(candidate: Candidate, draw: int) -> dict:
    """The columns that identify a row."""
    texts = {"settings": json.dumps(candidate.settings), "recipe": json.dumps(candidate.recipe)}
    values = {"world": candidate.world, "method": candidate.method, "draw": draw, **texts}
    return {name: values[name] for name in IDENTITY}


def measure(candidate: Candidate, draw: int, plan: StudyPlan, weights: str, scratch: Path) -> dict:
    """Fine-tune in a candidate and measure the model; metrics in points."""
    data = draw_world(candidate.settings, draw, scratch)
    recipe = plan.configuration.recipes["fundus-small"].model_copy(update=dict(candidate.recipe))
    run = Run("embedded-fundus", model="small-baseline", method=candidate.method, seed=draw)
    settings = training_settings(plan, run, recipe)
    out = fine_tune(settings, data, weights, scratch / "model")
    built = build(settings["model"], out["model"], draw)
    splits = read_splits(settings["recipe"], data, built, seed=draw, cache=data["cache"])
    prompts = built.tokenizer(settings["recipe"]["prompts"])
    p = {name: predict(name, splits, built, prompts) for name in ("validation", "test")}
    return measure_race(splits, p) | measure_epochs(pd.read_csv(out["epochs"]))


def draw_world(settings: Mapping, draw: int, scratch: Path) -> dict:
    """Draw and prepare a world, unless it is there; the places that a training reads."""
    settings = read_analysis_plan().common_settings | settings
    folder = scratch / settings_digest({"draw": draw, **settings})
    raw, table = folder / "raw", folder / "table.parquet"
    if not table.exists():
        generate_world("fundus", make_settings("fundus", settings), draw, raw)
        prepare_dataset(load_catalogue(CATALOGUE)[FORMAT], raw, table, subset=True)
    return {"raw": str(raw), "table": str(table), "cache": str(folder)}


def fine_tune(settings: Mapping, data: Mapping, weights: str, folder: Path) -> dict[str, str]:
    """Train; the files of the model."""
    names = {"model": "model.safetensors", "spec": "spec.json", "log": "log.csv", "epochs": "epochs.csv"}
    out = {name: str(folder / file) for name, file in {**names, "snapshots": "snapshots"}.items()}
    train(settings, data=data, weights=weights, out=out, scratch=str(folder / "scratch"))
    return out


def measure_race(splits: Mapping[str, Examples], p: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The metrics of the groups of race on the test split, and their sampling floors."""
    validation, test = splits["validation"], splits["test"]
    arrays = (
        test.labels,
        p["test"],
        threshold_free.recalibrate(validation.labels, p["validation"], p["test"]),
    )
    codes = test.table["race"].cat.codes.to_numpy()
    threshold = threshold_free.matched_threshold(validation.labels, p["validation"])
    found = threshold_free.compare(*arrays, codes, threshold=threshold)
    floors = threshold_free.sampling_floor(
        *arrays, codes, threshold=threshold, rng=np.random.default_rng(0), permutations=PERMUTATIONS
    )
    metrics = {}
    for name in ("matched_dpd", "matched_deodds", "auc_gap", "worst_auc", "mean_dpd"):
        metrics |= {name: 100 * found[name][0], f"{name}_floor": 100 * floors[name]}
    return {name: round(float(value), 2) for name, value in metrics.items()}


def measure_epochs(epochs: pd.DataFrame) -> dict[str, float]:
    """The AUC on test of the epoch chosen on validation, and how far the AUC there falls after it."""
    aucs = epochs[(epochs["metric"] == "auc") & (epochs["epoch"] > 0)]
    by_split = aucs.pivot(index="epoch", columns="split", values="value")
    best = by_split["validation"].idxmax()
    fall = by_split["validation"].max() - by_split["validation"].iloc[-1]
    return {
        "auc": round(100 * by_split["test"][best], 2),
        "best_epoch": int(best),
        "fall": round(100 * fall, 2),
        "best_on_test": round(100 * (by_split["test"].max() - by_split["test"][best]), 2),
    }


def predict(name: str, splits: Mapping[str, Examples], built, prompts) -> np.ndarray:
    """The probabilities of glaucoma of a split."""
    found = predict_split(built.model, splits[name], built, prompts, device="cpu", with_score=False)
    return found.probability.astype(float)


if __name__ == "__main__":
    main(*sys.argv[1:])
