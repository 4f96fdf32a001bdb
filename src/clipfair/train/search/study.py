"""A search with Optuna whose trials are stored in a journal file.

Trials are numbered slots, 0 to n - 1. Parallel jobs share the journal: part k of K has the slots k, k + K and
so on, and the sampler uses the trials of all parts. A finished slot, with a value or without, is never run
again; an interrupted one is. The sampler (TPE, Optuna's default, maximising) has a seed for each slot. So a
search by one job that was stopped and continued chooses the same settings as one that was not. With parallel
jobs the choice depends on which of their trials have finished.
"""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState

from clipfair.core.errors import UserError, progress

SLOT, REASON = "slot", "reason"
KEYS = {"low", "high", "log", "step"}


class UndefinedError(Exception):
    """An objective has no value for these settings, e.g. because the training diverged."""


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
    """Run the unfinished trials of one part.

    Parameters
    ----------
    objective
        Settings by name -> the value to maximise. NaN or :class:`UndefinedError` is a trial without a value.
    space
        Name -> ``low``, ``high``, and ``log`` (log-uniform) or ``step``.
    storage
        The journal; created if it does not exist.
    study_name
        Trials of other studies in the same journal are ignored.
    trials
        The number of trials of all parts together.
    part, parts
        The number of this part, and of all parts.

    Raises
    ------
    UserError
        If an entry of the space is not a range, or the file is not a journal.
    """
    check_space(space, where=f"search {study_name}")
    study = open_study(storage, study_name)
    unfinished = [slot for slot in range(part, trials, parts) if slot not in _finished(study)]
    _close_interrupted(study, unfinished)
    for slot in progress(unfinished, unit="trial", what="search"):
        study.sampler = optuna.samplers.TPESampler(seed=_seed_of(seed, slot))
        trial = study.ask()
        trial.set_user_attr(SLOT, slot)
        chosen = {name: _suggest(trial, name, entry) for name, entry in space.items()}
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
    """Check that every entry of a space is a range.

    Raises
    ------
    UserError
        If one is not; the message begins with ``where``.
    """
    if not space:
        raise UserError(f"{where}: the space is empty; add at least one setting")
    for name, entry in space.items():
        low, high, log, step = (entry.get(key) for key in ("low", "high", "log", "step"))
        if not {"low", "high"} <= set(entry) <= KEYS or not low < high:
            raise UserError(f"{where}: {name}: {dict(entry)}; expected low < high, and log: true or a step")
        if log and (step is not None or low <= 0):
            raise UserError(f"{where}: {name}: a log-uniform range has low > 0 and no step")
        if step is not None and not math.isclose((high - low) / step, round((high - low) / step)):
            raise UserError(f"{where}: {name}: no whole number of steps of {step} from {low} to {high}")


def open_study(storage: str | Path, study_name: str) -> optuna.Study:
    """Open a study in a journal; create both if they do not exist.

    An incomplete last record, left by a job that was killed while writing, is removed.

    Raises
    ------
    UserError
        If the file is not a journal.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    Path(storage).parent.mkdir(parents=True, exist_ok=True)
    _remove_incomplete_record(Path(storage))
    try:
        backend = JournalStorage(JournalFileBackend(str(storage)))
        return optuna.create_study(
            storage=backend, study_name=study_name, direction="maximize", load_if_exists=True
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"{storage}: not a journal of Optuna ({reason}); delete it to start the search again"
        ) from None


def _remove_incomplete_record(journal: Path) -> None:
    """Truncate the journal after its last complete record: Optuna would append to an incomplete one.

    Optuna's own lock keeps out other jobs, whose unfinished writes would look the same.
    """
    if not journal.is_file():
        return
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        end = content.rfind(b"\n") + 1
        if content[end:].startswith(b"{"):
            os.truncate(journal, end)
    finally:
        lock.release()


def read_trials(storage: str | Path, study_name: str) -> pd.DataFrame:
    """Return the finished trials: ``trial`` (its slot), the settings, ``value``, or ``reason`` for none."""
    study = open_study(storage, study_name)
    rows = [
        {SLOT: slot, **trial.params, "value": trial.value, REASON: trial.user_attrs.get(REASON)}
        for slot, trial in sorted(_finished(study).items())
    ]
    return pd.DataFrame(rows).rename(columns={SLOT: "trial"})


def best_of(trials: pd.DataFrame) -> dict:
    """Return the first trial with the largest value, and counts of trials.

    Raises
    ------
    UserError
        If no trial has a value.
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


def _finished(study: optuna.Study) -> dict[int, FrozenTrial]:
    """Return slot -> its trial, with a value or with a reason for not having one."""
    found = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL)):
        if trial.state == TrialState.COMPLETE or REASON in trial.user_attrs:
            found.setdefault(trial.user_attrs[SLOT], trial)
    return found


def _close_interrupted(study: optuna.Study, slots: list[int]) -> None:
    """Mark trials of these slots that are still running as failed: the job that ran them was interrupted."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(SLOT) in slots:
            study.tell(trial.number, state=TrialState.FAIL)


def _seed_of(seed: int, slot: int) -> int:
    return int(np.random.SeedSequence([seed, slot]).generate_state(1)[0])


def _suggest(trial: optuna.Trial, name: str, entry: Mapping) -> float:
    return trial.suggest_float(
        name, entry["low"], entry["high"], log=entry.get("log", False), step=entry.get("step")
    )
