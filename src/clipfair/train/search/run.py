"""A search for the settings of a fine-tuning: each trial is one training, its value the best validation AUC.

The names of the search space are paths in the settings of a training: ``recipe.learning_rate``,
``fairness.lam``, ``method.settings.<switch>``. See docs/fairclip-protocol.md, section 7.
"""

import copy
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.provenance import settings_digest
from clipfair.train.search.study import UndefinedError, best_of, check_space, read_trials, search

OUTPUTS = {
    "model": "model.safetensors",
    "spec": "spec.json",
    "log": "log.csv",
    "snapshots": "snapshots",
    "epochs": "epochs.csv",
}


def search_settings(
    train: Callable[..., None],
    settings: Mapping,
    *,
    data: Mapping,
    weights: str | None,
    storage: str,
    scratch: str,
    part: int,
) -> str:
    """Run one part of a search.

    Parameters
    ----------
    train
        :func:`clipfair.train.run.train`, or a function with the same parameters.
    settings
        ``training`` (the settings of the run that is varied), ``space``, ``trials``, ``seed``, ``parts``.
    data, weights
        As for each training.
    storage
        The journal that all parts share.
    scratch
        A folder of this part, for one training at a time.

    Returns
    -------
    The study's name, a digest of the settings that decide the value of a trial.

    Raises
    ------
    UserError
        As training does, except for a loss that is not finite: that is a trial without a value.
    """
    name = study_name(settings)
    for setting in settings["space"]:
        replace_setting(settings["training"], setting, 0.0)
    folder = Path(scratch)

    def objective(chosen: Mapping[str, float]) -> float:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            return _run_trial(train, settings["training"], chosen, data, weights, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    search(
        objective,
        settings["space"],
        storage,
        name,
        settings["trials"],
        settings["seed"],
        part=part,
        parts=settings["parts"],
    )
    return name


def _run_trial(
    train: Callable[..., None],
    training: Mapping,
    chosen: Mapping[str, float],
    data: Mapping,
    weights: str | None,
    folder: Path,
) -> float:
    """Train with the chosen settings; return the best validation AUC."""
    training = copy.deepcopy(dict(training))
    for setting, value in chosen.items():
        training = replace_setting(training, setting, value)
    out = {key: str(folder / file) for key, file in OUTPUTS.items()}
    scratch = folder / "scratch"
    try:
        train(training, data=data, weights=weights, out=out, scratch=str(scratch))
    except UserError as error:
        if not list(scratch.glob(paths.FAILURE.format(rank="*"))):
            raise
        raise UndefinedError(str(error).partition(";")[0]) from None
    return best_validation(out["epochs"])


def study_name(settings: Mapping) -> str:
    """Return the digest of the settings that decide the value of a trial."""
    check_space(settings["space"], where="config.searches")
    return settings_digest({name: settings[name] for name in ("training", "space", "seed")})


def replace_setting(settings: Mapping, name: str, value: float) -> dict:
    """Return ``settings`` with another value of the setting ``name``, a path with dots; text stays text.

    Raises
    ------
    UserError
        If there is no such setting.
    """
    first, _, rest = name.partition(".")
    if first not in settings or (rest and not isinstance(settings[first], Mapping)):
        known = ", ".join(settings)
        raise UserError(f"config.searches: space: no setting {name!r} in a training; known: {known}")
    if rest:
        return {**settings, first: replace_setting(settings[first], rest, value)}
    return {**settings, first: repr(value) if isinstance(settings[first], str) else value}


def best_validation(epochs: str) -> float:
    """Return the largest AUC on the validation split after any epoch of training."""
    table = pd.read_csv(epochs)
    chosen = table[(table["split"] == "validation") & (table["metric"] == "auc") & (table["epoch"] > 0)]
    return float(chosen["value"].max())


def gather_trials(settings: Mapping, *, storage: str) -> tuple[pd.DataFrame, dict]:
    """Return the trials of a finished search, one per row, and the best of them.

    Raises
    ------
    UserError
        If trials are missing, or none has a value.
    """
    name = study_name(settings)
    trials = read_trials(storage, name)
    if len(trials) < settings["trials"]:
        raise UserError(
            f"{storage}: {len(trials)} of {settings['trials']} trials have ended; run search_settings again"
        )
    trials = trials.head(settings["trials"])
    return trials, {"study": name, **best_of(trials)}
