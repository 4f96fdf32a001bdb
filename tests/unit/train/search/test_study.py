import math

import optuna
import pytest

from clipfair.core.errors import UserError
from clipfair.train.search.study import UndefinedError, best_of, open_study, read_trials, search

SPACE = {"rate": {"low": 1e-8, "high": 1e-2, "log": True}, "lam": {"low": 0.5, "high": 10}}


def bowl(chosen):
    """Largest at rate 1e-5 and lam 3."""
    return 1 - (math.log10(chosen["rate"]) + 5) ** 2 / 100 - (chosen["lam"] - 3) ** 2 / 100


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "results" / "journal.log"


def test_the_search_finds_the_maximum(journal):
    search(bowl, SPACE, journal, "s", 40, 0)
    best = best_of(read_trials(journal, "s"))
    assert best["value"] == bowl(best["settings"]) > 0.95
    assert (best["trials"], best["without_value"]) == (40, 0)


def test_settings_stay_within_their_ranges(journal):
    space = {"rate": SPACE["rate"], "lam": {"low": 100, "high": 1000, "step": 100}}
    search(lambda chosen: chosen["lam"], space, journal, "s", 30, 0)
    trials = read_trials(journal, "s")
    assert trials["rate"].between(1e-8, 1e-2).all()
    assert set(trials["lam"]) <= set(range(100, 1001, 100))
    assert trials["lam"].nunique() > 3
    assert (trials["rate"] < 1e-5).mean() > 0.2  # even in the logarithm


def test_an_interrupted_search_continues_as_if_it_had_not_been(tmp_path, journal):
    class CutOff(BaseException):
        pass

    calls = []

    def cut(chosen):
        calls.append(chosen)
        if len(calls) == 13:
            raise CutOff
        return bowl(chosen)

    with pytest.raises(CutOff):
        search(cut, SPACE, journal, "s", 20, 0)
    assert len(read_trials(journal, "s")) == 12
    search(bowl, SPACE, journal, "s", 20, 0)
    search(bowl, SPACE, tmp_path / "whole.log", "s", 20, 0)
    assert read_trials(journal, "s").equals(read_trials(tmp_path / "whole.log", "s"))


def test_an_incomplete_last_record_is_dropped_and_the_search_continues(journal):
    search(bowl, SPACE, journal, "s", 4, 0)
    before = read_trials(journal, "s")
    whole = journal.read_bytes()
    for lost in (1, 5, len(whole.splitlines()[-1])):
        journal.write_bytes(whole[:-lost])
        search(bowl, SPACE, journal, "s", 6, 0)
        after = read_trials(journal, "s")
        assert after["trial"].tolist() == list(range(6))
        assert after.iloc[:3].equals(before.iloc[:3])
        assert after["value"].notna().all()


def test_finished_trials_are_not_repeated(journal):
    search(bowl, SPACE, journal, "s", 5, 0)
    before = read_trials(journal, "s")
    calls = []
    search(lambda chosen: calls.append(chosen) or bowl(chosen), SPACE, journal, "s", 7, 0)
    assert len(calls) == 2
    assert read_trials(journal, "s").iloc[:5].equals(before)


def test_parts_share_the_journal_and_divide_the_trials(journal):
    calls = {0: 0, 1: 0, 2: 0}
    for part in (2, 0, 1):

        def counted(chosen, part=part):
            calls[part] += 1
            return bowl(chosen)

        search(counted, SPACE, journal, "s", 7, 0, part=part, parts=3)
    assert calls == {0: 3, 1: 2, 2: 2}
    assert read_trials(journal, "s")["trial"].tolist() == list(range(7))


def test_a_part_leaves_the_running_trials_of_others_alone(journal):
    other = open_study(journal, "s")
    running = other.ask()
    running.set_user_attr("slot", 1)
    search(bowl, SPACE, journal, "s", 4, 0, part=0, parts=2)
    assert other.trials[running.number].state == optuna.trial.TrialState.RUNNING
    search(bowl, SPACE, journal, "s", 4, 0, part=1, parts=2)
    assert other.trials[running.number].state == optuna.trial.TrialState.FAIL
    assert read_trials(journal, "s")["trial"].tolist() == [0, 1, 2, 3]


def test_trials_of_another_name_do_not_count(journal):
    search(bowl, SPACE, journal, "first", 3, 0)
    search(bowl, SPACE, journal, "second", 2, 0)
    assert (len(read_trials(journal, "first")), len(read_trials(journal, "second"))) == (3, 2)


def test_a_trial_without_a_value_counts_with_its_reason(journal):
    def objective(chosen):
        if chosen["lam"] > 5:
            raise UndefinedError("diverged at step 3")
        return math.nan if chosen["rate"] > 1e-4 else 0.5

    search(objective, SPACE, journal, "s", 20, 0)
    trials = read_trials(journal, "s")
    assert len(trials) == 20
    assert (trials.loc[trials["lam"] > 5, "reason"] == "diverged at step 3").all()
    assert best_of(trials)["without_value"] == trials["value"].isna().sum() > 0
    calls = []
    search(lambda chosen: calls.append(chosen), SPACE, journal, "s", 20, 0)
    assert calls == []


def test_the_seed_decides(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        search(bowl, SPACE, tmp_path / name, "s", 12, seed)
    a, b, c = (read_trials(tmp_path / name, "s") for name in "abc")
    assert a.equals(b)
    assert not a.equals(c)


def test_a_search_without_a_value_is_reported(journal):
    search(lambda chosen: math.nan, SPACE, journal, "s", 2, 0)
    with pytest.raises(UserError, match="none of 2 trials has a value"):
        best_of(read_trials(journal, "s"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"low": 1, "high": 1}, "expected low < high"),
        ({"low": 1}, "expected low < high"),
        ({"low": 1, "high": 2, "base": 3}, "expected low < high"),
        ({"low": 0, "high": 2, "log": True}, "low > 0 and no step"),
        ({"low": 1, "high": 2, "log": True, "step": 1}, "low > 0 and no step"),
        ({"low": 0.1, "high": 1000, "step": 100}, "no whole number of steps of 100 from 0.1 to 1000"),
    ],
)
def test_an_entry_that_is_not_a_range_is_reported(journal, entry, message):
    with pytest.raises(UserError, match=message):
        search(bowl, {"lam": entry}, journal, "s", 1, 0)


def test_a_file_that_is_no_journal_is_reported(tmp_path):
    path = tmp_path / "journal.log"
    path.write_text("not a journal\n")
    with pytest.raises(UserError, match="not a journal of Optuna"):
        read_trials(path, "s")
    with pytest.raises(UserError, match="the space is empty; add at least one setting"):
        search(bowl, {}, path, "s", 1, 0)
