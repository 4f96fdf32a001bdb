"""Checkpoints: whole or not there, the one before kept, read without running code.

A file's name has its step and the first digits of its sha256, so a torn one is known as such; then the
one before is taken.
"""

import errno
import hashlib
import io
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path

KEPT = 2
_DIGITS = 16
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Checkpoints:
    """The checkpoints of one run.

    Attributes
    ----------
    folder : where they are, and nothing else.
    spec : a digest of all that decides the run; a checkpoint of another is refused.
    minutes : between two of them.
    """

    folder: Path
    spec: str
    minutes: float
    _last: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() - self._last >= 60 * self.minutes

    def save(self, step: int, state: Mapping) -> None:
        """Write a checkpoint, and remove those older than the one before."""
        buffer = io.BytesIO()
        torch.save({"spec": self.spec, "step": step, **state}, buffer)
        content = buffer.getbuffer()
        digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
        name = f"step-{step:09d}-{digest}.pt"
        with atomic_path(self.folder / name) as temporary, temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        for old in self._files()[KEPT:]:
            old.unlink()
        self._last = time.monotonic()

    def save_if_possible(self, step: int, state: Mapping) -> None:
        """Write a checkpoint; on a full disk say so, and let the training go on."""
        try:
            self.save(step, state)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._last = time.monotonic()
            print(f"clipfair: {self.folder}: no checkpoint at step {step}: {error.strerror}", file=sys.stderr)

    def load(self) -> dict | None:
        """The newest whole checkpoint, None if there is none.

        Raises
        ------
        UserError
            If it is of another spec.
        """
        for path in self._files():
            state = _read(path)
            if state is None:
                print(f"clipfair: {path}: torn; the checkpoint before it is taken", file=sys.stderr)
            elif state["spec"] != self.spec:
                raise UserError(
                    f"{path}: a checkpoint of another spec (settings, data or code have changed since); "
                    f"remove {self.folder} to train anew, or undo the change to go on"
                )
            else:
                return state
        return None

    def clear(self) -> None:
        """Remove them all: the run has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)


def _read(path: Path) -> dict | None:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest()[:_DIGITS] != path.stem.rpartition("-")[2]:
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
