"""Checks of tensors whose outcome is read later: each read waits until the accelerator has computed it."""

from collections.abc import Callable

import torch
from torch import Tensor

from clipfair.core.errors import UserError


class DeferredChecks:
    """The checks since the last read, in their order."""

    def __init__(self) -> None:
        self._checks: list[tuple[Tensor, Callable[[], str]]] = []

    def add(self, failed: Tensor, message: Callable[[], str]) -> None:
        """Add a check.

        Parameters
        ----------
        failed
            () bool, True if the check failed.
        message
            Returns the message of the error; called only if the check failed.
        """
        self._checks.append((failed, message))

    def read(self) -> None:
        """Read the outcome of all checks, in one transfer.

        Raises
        ------
        UserError
            If one failed; the message is that of the first.
        """
        checks, self._checks = self._checks, []
        failed = torch.stack([failed for failed, _ in checks]).tolist() if checks else []
        for has_failed, (_, message) in zip(failed, checks, strict=True):
            if has_failed:
                raise UserError(message())
