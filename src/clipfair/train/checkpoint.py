"""Checkpoints of a training: written atomically, the one before kept, read without executing code.

The name of a file contains its step and the first digits of its sha256, so that a damaged file is recognised;
the one before is used then.
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
    folder : the folder of the checkpoints.
    spec : a digest of everything that decides the run; a checkpoint of another spec is refused.
    minutes : the time between two checkpoints.
    """

    folder: Path
    spec: str
    minutes: float
    _last: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Return True if the last checkpoint is older than ``minutes``."""
        return time.monotonic() - self._last >= 60 * self.minutes

    def save(self, step: int, state: Mapping) -> None:
        """Write a checkpoint, and remove all but the newest two."""
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
        """Write a checkpoint; on a full disk print a warning and continue the training."""
        try:
            self.save(step, state)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._last = time.monotonic()
            print(f"clipfair: {self.folder}: no checkpoint at step {step}: {error.strerror}", file=sys.stderr)

    def load(self) -> dict | None:
        """Return the newest undamaged checkpoint, None if there is none.

        Raises
        ------
        UserError
            If it has another spec.
        """
        for path in self._files():
            state = _read(path)
            if state is None:
                print(f"clipfair: {path}: damaged; using the checkpoint before it", file=sys.stderr)
            elif state["spec"] != self.spec:
                raise UserError(
                    f"{path}: a checkpoint of other settings, data or code; remove {self.folder} to start "
                    "again from the first step, or undo the change to continue"
                )
            else:
                return state
        return None

    def clear(self) -> None:
        """Remove all checkpoints, at the end of the run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        """Return the files, the newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)


def _read(path: Path) -> dict | None:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest()[:_DIGITS] != path.stem.rpartition("-")[2]:
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
