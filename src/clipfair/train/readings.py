"""The values of the steps, transferred together from the accelerator to the log."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipfair.core.io import write_json
from clipfair.train.deferred import DeferredChecks
from clipfair.train.log import TrainingLog


@dataclass(frozen=True)
class _Step:
    """A step whose values are not read yet: its ``values`` are those of ``names`` and the temperature."""

    number: int
    names: Sequence[str]
    values: Tensor
    rate: float


class Readings:
    """The values of the steps since the last read."""

    def __init__(self, log: TrainingLog, checks: DeferredChecks):
        self._log, self._checks = log, checks
        self._steps: list[_Step] = []

    def add(
        self, number: int, names: Sequence[str], values: Tensor, logit_scale: Tensor, rate: float
    ) -> None:
        """Add a step: its ``values`` (k,) with their ``names``, and temperature and learning rate."""
        temperature = logit_scale.detach().exp().float().reshape(1)
        self._steps.append(_Step(number, names, torch.cat([values, temperature]), rate))

    def read(self) -> None:
        """Read the checks, then write the values to the log.

        Raises
        ------
        UserError
            If a check failed.
        """
        self._checks.read()
        steps, self._steps = self._steps, []
        for step, (*values, temperature) in zip(
            steps, torch.stack([step.values for step in steps]).tolist(), strict=True
        ):
            current = {"learning_rate": step.rate, "temperature": temperature}
            self._log.add(step.number, dict(zip(step.names, values, strict=True)), current)


def failure_message(step: int, names: Sequence[str], values: Tensor, keys: Sequence[str], path: str) -> str:
    """Write the file of a step whose values are not finite; return the message of the error."""
    terms = {name: str(value) for name, value in zip(names, values.tolist(), strict=True)}
    write_json(path, {"step": step, "terms": terms, "keys": keys})
    listed = ", ".join(f"{name} {value}" for name, value in terms.items())
    return (
        f"step {step}: not a finite number ({listed}); the keys of its batch are in {path}; lower the "
        "learning rate or check these examples"
    )
