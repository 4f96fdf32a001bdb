import errno
import os

import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.train.checkpoint import Checkpoints


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", "spec", minutes=10)


def files(checkpoints):
    return sorted(path.name for path in checkpoints.folder.iterdir())


def test_a_saved_state_is_loaded(checkpoints):
    state = {"model": {"weight": torch.arange(3.0)}, "log": {"rows": [{"loss": 1.5}]}, "names": ["a"]}
    checkpoints.save(7, state)
    loaded = checkpoints.load()
    assert loaded["step"] == 7
    assert torch.equal(loaded["model"]["weight"], state["model"]["weight"])
    assert loaded["log"] == state["log"]


def test_without_a_checkpoint_nothing_is_loaded(checkpoints):
    assert checkpoints.load() is None


def test_the_one_before_is_kept(checkpoints):
    for step in (1, 2, 10):
        checkpoints.save(step, {})
    assert [name[:14] for name in files(checkpoints)] == ["step-000000002", "step-000000010"]


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-100], lambda content: b"", lambda content: content[:-1] + b"?"]
)
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(checkpoints, capsys, damage):
    checkpoints.save(1, {})
    checkpoints.save(2, {})
    newest = checkpoints.folder / files(checkpoints)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    assert checkpoints.load()["step"] == 1
    assert f"{newest}: damaged; using the checkpoint before it" in capsys.readouterr().err


def test_all_damaged_is_none(checkpoints):
    checkpoints.save(1, {})
    (checkpoints.folder / files(checkpoints)[0]).write_bytes(b"")
    assert checkpoints.load() is None


def test_killed_while_writing_leaves_the_one_before(checkpoints, monkeypatch):
    checkpoints.save(1, {})

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(2, {})
    assert checkpoints.load()["step"] == 1


def test_another_spec_is_refused(checkpoints):
    checkpoints.save(1, {})
    other = Checkpoints(checkpoints.folder, "another", minutes=10)
    with pytest.raises(
        UserError, match=r"a checkpoint of other settings, data or code; remove .*/checkpoints to start again"
    ):
        other.load()


def full(_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_training_continues(checkpoints, monkeypatch, capsys):
    checkpoints.save(1, {})
    monkeypatch.setattr(os, "fsync", full)
    checkpoints.save_if_possible(2, {})
    assert "no checkpoint at step 2: No space left on device" in capsys.readouterr().err
    assert len(files(checkpoints)) == 1  # nothing half written
    assert checkpoints.load()["step"] == 1


def test_other_errors_are_raised(checkpoints, monkeypatch):
    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        checkpoints.save_if_possible(2, {})


def test_code_in_a_file_is_not_executed(checkpoints):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(checkpoints.folder / "ran"),))

    checkpoints.save(1, {"evil": Evil()})
    with pytest.raises(Exception, match="Weights only load failed"):
        checkpoints.load()
    assert not (checkpoints.folder / "ran").exists()


def test_due_after_its_minutes(checkpoints):
    assert not checkpoints.is_due()
    assert Checkpoints(checkpoints.folder, "spec", minutes=0).is_due()


def test_cleared_at_the_end(checkpoints):
    checkpoints.save(1, {})
    checkpoints.clear()
    assert not checkpoints.folder.exists()
