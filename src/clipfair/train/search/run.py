"""A search for the settings of a fine-tuning: each trial is one training, its value the best validation AUC.

The names of the space say what of the training's settings they set: ``recipe.learning_rate``, ``run.lam``,
``method.settings.<switch>``. Training is handed in as a function, so that this phase knows no other.
"""

import copy
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.provenance import settings_digest
from clipfair.train.search.study import UndefinedError, best_of, check_space, read_trials, search

OUTPUTS = {"model": "model.safetensors", "spec": "spec.json", "log": "log.csv", "curves": "curves.png"}
OUTPUTS |= {"card": "card.md", "snapshots": "snapshots", "epochs": "epochs.csv"}
# What the loop leaves where a loss was not finite.
FAILURE = "failure-*.json"


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
        :func:`clipfair.train.run.train`, or what is called like it.
    settings
        ``training`` (the settings of the run that is varied), ``space``, ``trials``, ``seed``, ``parts``.
    data, weights
        Of each training.
    storage
        The journal that all parts share.
    scratch
        A folder of this part's own: its trainings, removed one after the other.

    Returns
    -------
    The study's name: a digest of ``settings`` less what divides the work, so that other settings are another
    study.

    Raises
    ------
    UserError
        As training does, but for a loss that is not finite: that is a trial without a value.
    """
    name = study_name(settings)
    for setting in settings["space"]:
        put(settings["training"], setting, 0.0)
    folder = Path(scratch)

    def objective(chosen: Mapping[str, float]) -> float:
        shutil.rmtree(folder, ignore_errors=True)
        training = copy.deepcopy(dict(settings["training"]))
        for setting, value in chosen.items():
            training = put(training, setting, value)
        out = {key: str(folder / file) for key, file in OUTPUTS.items()}
        try:
            train(training, data=data, weights=weights, out=out, scratch=str(folder / "scratch"))
            return best_validation(out["epochs"])
        except UserError as error:
            if not list(folder.rglob(FAILURE)):
                raise
            raise UndefinedError(str(error).partition(";")[0]) from None
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


def study_name(settings: Mapping) -> str:
    """The digest of what decides a trial's value."""
    check_space(settings["space"], where="config.searches")
    return settings_digest({name: settings[name] for name in ("training", "space", "seed")})


def put(settings: Mapping, name: str, value: float) -> dict:
    """``settings`` with ``value`` at the place that ``name`` spells with dots, as text where text was.

    Raises
    ------
    UserError
        If there is no such place.
    """
    first, _, rest = name.partition(".")
    if first not in settings or (rest and not isinstance(settings[first], Mapping)):
        known = ", ".join(settings)
        raise UserError(f"config.searches: space: no setting {name!r} in a training; known: {known}")
    if rest:
        return {**settings, first: put(settings[first], rest, value)}
    return {**settings, first: repr(value) if isinstance(settings[first], str) else value}


def best_validation(epochs: str) -> float:
    """The largest AUC on the validation split after any epoch of training."""
    table = pd.read_csv(epochs)
    chosen = table[(table["split"] == "validation") & (table["metric"] == "auc") & (table["epoch"] > 0)]
    return float(chosen["value"].max())


def gather_trials(settings: Mapping, *, storage: str) -> tuple[pd.DataFrame, dict]:
    """The trials of a search that has ended, a row each, and the best of them.

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
