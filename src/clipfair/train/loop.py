"""The training loop. A training that is stopped at any step and run again ends with the same bytes.

It is our own, not a framework's, because of this guarantee: the state of every part (optimiser, order of the
examples, objective, hooks, log, random generators) is in the checkpoint, and nothing else decides a step.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError, progress
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.interfaces import Batch, Objective, Process, TrainingParts
from clipfair.train.log import TrainingLog
from clipfair.train.optimisers import Optimiser
from clipfair.train.pretraining.contrastive import CachedGradients, ContrastiveObjective
from clipfair.train.readings import Readings, failure_message
from clipfair.train.schedules import Schedule
from clipfair.train.stop import StopSignal

# Steps between two agreements of the processes on whether one was asked to stop; a multiple of every
# ``read_every``.
AGREE_EVERY = 10


@dataclass(frozen=True)
class LoopSettings:
    """The settings of the loop.

    Attributes
    ----------
    steps : in the whole training.
    accumulate : the largest number of a process's batches in a step, computed one after the other.
    rate : the learning rate that the schedule multiplies.
    clip : the largest norm of the gradient; None for no clipping.
    precision : ``fp32``, or ``bf16`` for autocast.
    snapshots : the steps after which the weights are saved.
    read_every : steps between two reads of the values of the steps, at most; each read waits for the
        accelerator.
    failure : the path of the file that is written if the loss or the gradient is not finite.
    """

    steps: int
    accumulate: int
    rate: float
    clip: float | None
    precision: str
    snapshots: frozenset[int]
    read_every: int
    failure: str


class TrainingStep(nn.Module):
    """Model and objective as one module, because DDP synchronises the gradients of one module's forward."""

    def __init__(self, model: nn.Module, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Batch, cached: CachedGradients | None = None) -> dict[str, Tensor] | Tensor:
        """Return the terms of a batch; with cached gradients the surrogate loss."""
        if cached is None:
            return self.objective.terms(self.model, batch)
        return self.objective.surrogate_loss(self.model, batch, cached)


@dataclass
class TrainingState:
    """Everything that changes during a training."""

    model: nn.Module
    parts: TrainingParts
    optimiser: Optimiser
    trained: Sequence[nn.Parameter]
    log: TrainingLog
    step: int = 0

    def state_dict(self) -> dict:
        """Return the state of every part and of torch's random generators."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "source": self.parts.source.state_dict(),
            "objective": self.parts.objective.state_dict(),
            "hooks": [hook.state_dict() for hook in self.parts.hooks],
            "log": self.log.state_dict(),
            "generator": torch.get_rng_state(),
            "generators": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.parts.source.load_state_dict(state["source"])
        self.parts.objective.load_state_dict(state["objective"])
        for hook, hook_state in zip(self.parts.hooks, state["hooks"], strict=True):
            hook.load_state_dict(hook_state)
        self.log.load_state_dict(state["log"])
        torch.set_rng_state(state["generator"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["generators"])


def run_loop(
    training: TrainingState,
    schedule: Schedule,
    settings: LoopSettings,
    *,
    process: Process,
    checkpoints: Checkpoints,
    save_snapshot: Callable[[int, nn.Module], None],
) -> None:
    """Train from the current step of ``training`` to the last one.

    Raises
    ------
    UserError
        If the loss or the gradient is not finite (step, terms and keys are in ``settings.failure``), or if
        the process is asked to stop (after saving a checkpoint): at the next step whose values are read.
    """
    model, parts = training.model, training.parts
    step_module = _distributed(TrainingStep(model, parts.objective), process)
    batches = iter(parts.source)
    readings = Readings(training.log, parts.checks)
    model.train()
    with StopSignal() as stop, _progress_bar(training, settings, process) as bar:
        while training.step < settings.steps:
            taken = [batch.to(process.device) for batch in _batches_of_step(batches, settings.accumulate)]
            factor = schedule(training.step)
            for parameter in training.trained:
                parameter.grad = None
            with _autocast(settings, process):
                terms = _backward(step_module, parts.objective, taken)
            norm = _clip_gradients(training.trained, settings.clip)
            names, values = _mean_values(terms | {"gradient_norm": norm}, process)
            training.step += 1
            keys = [key for batch in taken for key in batch.keys]
            message = partial(failure_message, training.step, names, values, keys, settings.failure)
            parts.checks.add(~values.isfinite().all(), message)
            training.optimiser.step(factor)
            parts.objective.after_update(model)
            readings.add(training.step, names, values, model.logit_scale, settings.rate * factor)
            bar.update(parts.batch_size)
            if not _is_read(training, settings):
                continue
            readings.read()
            for hook in parts.hooks:
                if hook.is_due(training.step):
                    hook.after_step(training.step, model)
            if training.step in settings.snapshots and process.rank == 0:
                save_snapshot(training.step, model)
            _save_or_stop(training, settings.steps, process, checkpoints, stop)


def _is_read(training: TrainingState, settings: LoopSettings) -> bool:
    """Return True if the values are read after the current step: regularly, and before the weights are used.

    So a training that diverged stops before its weights are measured or saved.
    """
    step = training.step
    is_used = step == settings.steps or step in settings.snapshots
    is_used = is_used or any(hook.is_due(step) for hook in training.parts.hooks)
    return is_used or step % settings.read_every == 0 or training.log.ends_row(step)


def _batches_of_step(batches: Iterator[Batch], largest: int) -> Iterator[Batch]:
    """Yield ``largest`` batches, or fewer if one ends the step."""
    for batch in itertools.islice(batches, largest):
        yield batch
        if batch.ends_step:
            return


def _progress_bar(
    training: TrainingState, settings: LoopSettings, process: Process
) -> contextlib.AbstractContextManager:
    size = training.parts.batch_size
    bar = progress(None, total=settings.steps * size, unit="image", what="training")
    if training.step:
        bar.update(training.step * size)
    bar.disable = bar.disable or process.rank != 0
    return bar


def _autocast(settings: LoopSettings, process: Process) -> contextlib.AbstractContextManager:
    device = torch.device(process.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=settings.precision == "bf16")


def _distributed(step: TrainingStep, process: Process) -> nn.Module:
    if process.world == 1:
        return step
    return nn.parallel.DistributedDataParallel(step)


def _backward(step: nn.Module, objective: Objective, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """Compute the gradients of a step; return its terms."""
    if len(batches) == 1:
        terms = step(batches[0])
        terms["loss"].backward()
        return terms
    if isinstance(objective, ContrastiveObjective):
        model = getattr(step, "module", step).model
        terms, cached = objective.cache_gradients(model, batches)
        for batch, gradients, synchronised in _with_synchronisation(step, batches, cached):
            with synchronised:
                step(batch, gradients).backward()
        return terms
    sums: dict[str, Tensor] = {}
    for batch, _, synchronised in _with_synchronisation(step, batches, [None] * len(batches)):
        with synchronised:
            terms = step(batch)
            (terms["loss"] / len(batches)).backward()
        for name, value in terms.items():
            sums[name] = sums.get(name, 0) + value.detach() / len(batches)
    return sums


def _with_synchronisation(
    step: nn.Module, batches: Sequence[Batch], cached: Sequence[CachedGradients | None]
) -> Iterator[tuple[Batch, CachedGradients | None, contextlib.AbstractContextManager]]:
    """Yield each part with a context in which DDP adds up the gradients after the last part only."""
    for number, (batch, gradients) in enumerate(zip(batches, cached, strict=True), start=1):
        waits = number < len(batches) and hasattr(step, "no_sync")
        yield batch, gradients, step.no_sync() if waits else contextlib.nullcontext()


def _clip_gradients(parameters: Sequence[nn.Parameter], largest: float | None) -> Tensor:
    """Scale the gradients to a norm of at most ``largest``; return the norm before."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if largest is not None:
        torch._foreach_mul_(gradients, (largest / norm).clamp(max=1))
    return norm


def _mean_values(values: Mapping[str, Tensor], process: Process) -> tuple[list[str], Tensor]:
    """Return the names of the values, and their means over the processes; (k,)."""
    stacked = torch.stack([value.detach().float() for value in values.values()])
    if process.world > 1:
        torch.distributed.all_reduce(stacked)
        stacked /= process.world
    return list(values), stacked


def _save_or_stop(
    training: TrainingState, steps: int, process: Process, checkpoints: Checkpoints, stop: StopSignal
) -> None:
    asked = stop.signal is not None
    if process.world > 1 and training.step % AGREE_EVERY == 0:
        asked = _any_process(asked, process)
    elif process.world > 1:
        asked = False
    if asked and training.step < steps:
        if process.rank == 0:
            checkpoints.save(training.step, training.state_dict())
        name = "a signal" if stop.signal is None else stop.name
        raise UserError(
            f"stopped by {name} after step {training.step} of {steps}; run again to continue from this step"
        )
    if process.rank == 0 and checkpoints.is_due():
        checkpoints.save_if_possible(training.step, training.state_dict())


def _any_process(asked: bool, process: Process) -> bool:
    flag = torch.tensor(int(asked), device=process.device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag)
