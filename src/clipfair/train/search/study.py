"""A search with Optuna whose trials are in a journal file.

Trials are numbered slots, 0 to n - 1. Parallel jobs share the journal: part k of K has the slots k, k + K and
so on, and every one learns from the trials of all. A slot that has ended, with a value or without, is never
run again; one that was cut off is. The sampler (TPE, Optuna's default, maximising) is seeded anew for each
slot: a search by one job that was stopped and goes on chooses what it would have chosen; what parallel jobs
choose depends on which of their trials have ended.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from clipfair.core.errors import UserError, progress

SLOT, REASON = "slot", "reason"
KEYS = {"low", "high", "log", "step"}


class UndefinedError(Exception):
    """Raised by an objective that has no value for these settings, e.g. since training diverged."""


def search(
    objective: Callable[[dict[str, float]], float],
    space: Mapping[str, Mapping],
    storage: str | Path,
    study_name: str,
    trials: int,
    seed: int,
    *,
    part: int = 0,
    parts: int = 1,
) -> None:
    """Run the trials of one part that have not ended yet.

    Parameters
    ----------
    objective
        Settings by name -> what is maximised. NaN or :class:`UndefinedError` is a trial without a value.
    space
        Name -> ``low``, ``high``, and ``log`` (log-uniform) or ``step``.
    storage
        The journal; made if it is not there.
    study_name
        Trials of another name in the same journal do not count.
    trials
        In all parts together.
    part, parts
        Which of how many.

    Raises
    ------
    UserError
        If a range is not one, or the journal is not a journal.
    """
    check_space(space, where=f"search {study_name}")
    study = open_study(storage, study_name)
    waiting = [slot for slot in range(part, trials, parts) if slot not in _ended(study)]
    _close_cut_off(study, waiting)
    for slot in progress(waiting, unit="trial", what="search"):
        study.sampler = optuna.samplers.TPESampler(seed=_seed_of(seed, slot))
        trial = study.ask()
        trial.set_user_attr(SLOT, slot)
        chosen = {name: _suggest(trial, name, line) for name, line in space.items()}
        try:
            value, reason = objective(chosen), "not a number"
        except UndefinedError as error:
            value, reason = math.nan, str(error)
        if math.isnan(value):
            trial.set_user_attr(REASON, reason)
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, value)


def check_space(space: Mapping[str, Mapping], *, where: str) -> None:
    """That every line of a space is a range.

    Raises
    ------
    UserError
        If it is not; the message begins with ``where``.
    """
    if not space:
        raise UserError(f"{where}: no setting to search; name at least one")
    for name, line in space.items():
        low, high, log, step = (line.get(key) for key in ("low", "high", "log", "step"))
        if not {"low", "high"} <= set(line) <= KEYS or not low < high:
            raise UserError(f"{where}: {name}: {dict(line)}; expected low < high, and log: true or a step")
        if log and (step is not None or low <= 0):
            raise UserError(f"{where}: {name}: a log-uniform range has low > 0 and no step")
        if step is not None and not math.isclose((high - low) / step, round((high - low) / step)):
            raise UserError(f"{where}: {name}: no whole number of steps of {step} from {low} to {high}")


def open_study(storage: str | Path, study_name: str) -> optuna.Study:
    """A study in a journal, made if it is not there.

    Raises
    ------
    UserError
        If the file is not a journal.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    Path(storage).parent.mkdir(parents=True, exist_ok=True)
    try:
        backend = JournalStorage(JournalFileBackend(str(storage)))
        return optuna.create_study(
            storage=backend, study_name=study_name, direction="maximize", load_if_exists=True
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{storage}: not a journal of Optuna ({reason}); delete it to begin anew") from None


def read_trials(storage: str | Path, study_name: str) -> pd.DataFrame:
    """All trials that have ended: ``trial`` (its slot), the settings, ``value``, ``reason`` if none."""
    study = open_study(storage, study_name)
    rows = [
        {SLOT: slot, **trial.params, "value": trial.value, REASON: trial.user_attrs.get(REASON)}
        for slot, trial in sorted(_ended(study).items())
    ]
    return pd.DataFrame(rows).rename(columns={SLOT: "trial"})


def best_of(trials: pd.DataFrame) -> dict:
    """The trial with the largest value, of equal ones the first: ``trial``, ``settings``, ``value``; counts.

    Raises
    ------
    UserError
        If none has a value.
    """
    valued = trials.dropna(subset=["value"]) if len(trials) else trials
    if valued.empty:
        raise UserError(f"search: none of {len(trials)} trials has a value; narrow the ranges in config.yaml")
    best = valued.loc[valued["value"].idxmax()]
    settings = {name: float(best[name]) for name in trials.columns if name not in ("trial", "value", REASON)}
    return {
        "trial": int(best["trial"]),
        "settings": settings,
        "value": float(best["value"]),
        "trials": len(trials),
        "without_value": len(trials) - len(valued),
    }


def _ended(study: optuna.Study) -> dict[int, FrozenTrial]:
    """Slot -> its trial: with a value, or told to have none."""
    found = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL)):
        if trial.state == TrialState.COMPLETE or REASON in trial.user_attrs:
            found.setdefault(trial.user_attrs[SLOT], trial)
    return found


def _close_cut_off(study: optuna.Study, slots: list[int]) -> None:
    """Trials of these slots that still run were cut off with the job before: nobody else has them."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(SLOT) in slots:
            study.tell(trial.number, state=TrialState.FAIL)


def _seed_of(seed: int, slot: int) -> int:
    return int(np.random.SeedSequence([seed, slot]).generate_state(1)[0])


def _suggest(trial: optuna.Trial, name: str, line: Mapping) -> float:
    return trial.suggest_float(
        name, line["low"], line["high"], log=line.get("log", False), step=line.get("step")
    )
