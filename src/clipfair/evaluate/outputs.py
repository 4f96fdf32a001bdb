"""The files of one evaluation of one run: metrics.json and scores.parquet."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.io import write_json, write_parquet
from clipfair.evaluate.protocol import Result


def make_generator(evaluation: str) -> np.random.Generator:
    """A random generator seeded by the id of an evaluation.

    All checkpoints and runs start in the same state, so that the same examples are resampled.
    """
    return np.random.default_rng(int(hashlib.sha256(evaluation.encode()).hexdigest()[:16], 16))


def write_evaluation(
    folder: str | Path,
    results: Mapping[int, Result],
    *,
    run: Mapping,
    evaluation: str,
    settings: Mapping,
    model_digest: str,
    data_digest: str,
) -> None:
    """Write ``metrics.json``, and ``scores.parquet`` if there are scores, into ``folder``.

    Parameters
    ----------
    results
        Number of training examples -> the result of the checkpoint at that number.
    run
        The seven levels of the run.
    evaluation, settings
        The id and the entry of the configuration.
    model_digest, data_digest
        Of the weights of the final checkpoint, and of the prepared table.
    """
    scores = [
        result.scores.assign(examples=examples) for examples, result in results.items() if len(result.scores)
    ]
    if scores:
        write_parquet(Path(folder, "scores.parquet"), pd.concat(scores, ignore_index=True))
    record = {
        "run": dict(run),
        "evaluation": evaluation,
        "kind": settings["kind"],
        "dataset": settings["dataset"],
        "split": settings["split"],
        "model_digest": model_digest,
        "data_digest": data_digest,
        "rows": [
            {"examples": examples, **measure._asdict()}
            for examples, result in results.items()
            for measure in result.measures
        ],
    }
    write_json(Path(folder, "metrics.json"), record)
