import json
from pathlib import Path

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.train.search.run import (
    best_validation,
    gather_trials,
    replace_setting,
    search_settings,
    study_name,
)
from clipfair.train.search.study import read_trials

SETTINGS = {
    "training": {
        "run": {"lam": "1e-5", "seed": 42},
        "fairness": {"lam": 1e-5, "weights": {"race": 1.0}},
        "recipe": {"learning_rate": 1e-5, "batch_size": 32},
        "method": {"kind": "finetune", "settings": {"blur": 1e-4}},
    },
    "space": {
        "recipe.learning_rate": {"low": 1e-8, "high": 1e-2, "log": True},
        "fairness.lam": {"low": 0.5, "high": 10.0},
    },
    "trials": 6,
    "seed": 42,
    "parts": 2,
}


def epochs(values):
    rows = [
        {"epoch": epoch, "split": split, "metric": metric, "value": value + shift}
        for epoch, value in enumerate(values)
        for split, metric, shift in (
            ("validation", "auc", 0),
            ("test", "auc", 0.05),
            ("validation", "accuracy", 0.5),
        )
    ]
    return pd.DataFrame(rows)


class Trainer:
    """Writes what a training would leave; the AUC is best at a small learning rate."""

    def __init__(self, diverges_above=1.0):
        self.given, self.diverges_above = [], diverges_above

    def __call__(self, settings, *, data, weights, out, scratch):
        self.given.append((settings, data, weights))
        rate = settings["recipe"]["learning_rate"]
        if rate > self.diverges_above:
            path = Path(scratch, "checkpoints", "failure-0.json")
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({"step": 3}))
            raise UserError("step 3: not a finite number (loss nan); lower the learning rate")
        Path(out["epochs"]).parent.mkdir(parents=True, exist_ok=True)
        epochs([0.9, 0.5, 0.6 - rate, 0.55]).to_csv(out["epochs"], index=False)


def run(tmp_path, trainer, part=0, **other):
    return search_settings(
        trainer,
        {**SETTINGS, **other},
        data={"raw": "raw"},
        weights="w",
        storage=str(tmp_path / "journal.log"),
        scratch=str(tmp_path / f"part{part}"),
        part=part,
    )


def test_each_trial_is_a_training_with_its_settings(tmp_path):
    trainer = Trainer()
    name = run(tmp_path, trainer)
    trials = read_trials(tmp_path / "journal.log", name)
    assert trials["trial"].tolist() == [0, 2, 4]
    for (settings, data, weights), trial in zip(trainer.given, trials.to_dict("records"), strict=True):
        assert settings["recipe"] == {"learning_rate": trial["recipe.learning_rate"], "batch_size": 32}
        assert settings["fairness"] == {"lam": trial["fairness.lam"], "weights": {"race": 1.0}}
        assert (data, weights) == ({"raw": "raw"}, "w")
        assert trial["value"] == pytest.approx(0.6 - trial["recipe.learning_rate"])
    assert not (tmp_path / "part0").exists()


def test_the_value_is_the_best_validation_auc_after_an_epoch(tmp_path):
    epochs([0.9, 0.5, 0.7, 0.6]).to_csv(tmp_path / "epochs.csv", index=False)
    assert best_validation(str(tmp_path / "epochs.csv")) == 0.7


def test_a_training_that_diverges_is_a_trial_without_a_value(tmp_path):
    name = run(tmp_path, Trainer(diverges_above=0), part=1)
    trials = read_trials(tmp_path / "journal.log", name)
    assert trials["reason"].tolist() == ["step 3: not a finite number (loss nan)"] * 3


def test_any_other_error_stops_the_search(tmp_path):
    def refuse(settings, **other):
        raise UserError("no such table")

    with pytest.raises(UserError, match="no such table"):
        run(tmp_path, refuse)


def test_gathered_when_all_parts_have_ended(tmp_path):
    run(tmp_path, Trainer(), part=0)
    with pytest.raises(UserError, match="3 of 6 trials have ended; run search_settings again"):
        gather_trials(SETTINGS, storage=str(tmp_path / "journal.log"))
    run(tmp_path, Trainer(), part=1)
    trials, best = gather_trials(SETTINGS, storage=str(tmp_path / "journal.log"))
    assert len(trials) == best["trials"] == 6
    assert best["value"] == trials["value"].max()
    assert set(best["settings"]) == set(SETTINGS["space"])
    assert best["study"] == study_name(SETTINGS)


def test_the_name_of_a_study_depends_on_what_decides_its_trials():
    assert study_name({**SETTINGS, "parts": 7, "trials": 9}) == study_name(SETTINGS)
    assert study_name({**SETTINGS, "seed": 1}) != study_name(SETTINGS)
    other = replace_setting(SETTINGS["training"], "recipe.batch_size", 64)
    assert study_name({**SETTINGS, "training": other}) != study_name(SETTINGS)


def test_replacing_changes_one_setting_and_keeps_text_text():
    training = SETTINGS["training"]
    changed = replace_setting(training, "method.settings.blur", 0.5)
    assert changed["method"] == {"kind": "finetune", "settings": {"blur": 0.5}}
    assert changed["recipe"] == training["recipe"]
    assert replace_setting(training, "run.lam", 0.5)["run"] == {"lam": "0.5", "seed": 42}
    assert training["run"]["lam"] == "1e-5"
    for name in ("recipe.rate", "rate", "recipe.learning_rate.base"):
        with pytest.raises(UserError, match="no setting"):
            replace_setting(training, name, 1.0)


def test_an_unknown_setting_is_reported_before_training(tmp_path):
    trainer = Trainer()
    with pytest.raises(UserError, match="no setting 'rate' in a training"):
        run(tmp_path, trainer, space={"recipe.rate": {"low": 0, "high": 1}})
    assert trainer.given == []
