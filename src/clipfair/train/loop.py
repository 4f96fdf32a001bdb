"""The loop: batches in, a trained model out; stopped at any step it goes on to the same bytes."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_json
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.log import Log
from clipfair.train.optimisers import Optimiser
from clipfair.train.pretraining.contrastive import Contrastive, Handed
from clipfair.train.protocols import Batch, Objective, Parts, Place
from clipfair.train.schedules import Schedule
from clipfair.train.stop import Stop

# The processes agree on being asked to stop every so many steps.
_AGREE_EVERY = 10


@dataclass(frozen=True)
class Plan:
    """What the loop does besides minimising.

    Attributes
    ----------
    steps : in all.
    accumulate : parts of a process's batch, one after the other.
    rate : the learning rate that the schedule multiplies.
    clip : the largest norm of the gradient; None for any.
    precision : ``fp32``, or ``bf16`` for autocast.
    snapshots : the steps after which the weights are kept.
    """

    steps: int
    accumulate: int
    rate: float
    clip: float | None
    precision: str
    snapshots: frozenset[int]


class Step(nn.Module):
    """The model with its objective as one module, so that DDP sees the whole step."""

    def __init__(self, model: nn.Module, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Batch, handed: Handed | None = None) -> dict[str, Tensor] | Tensor:
        """The terms of a batch; or what hands gradients back through it."""
        if handed is None:
            return self.objective.terms(self.model, batch)
        return self.objective.surrogate(self.model, batch, handed)


@dataclass
class Training:
    """All that has a state."""

    model: nn.Module
    parts: Parts
    optimiser: Optimiser
    trained: Sequence[nn.Parameter]
    log: Log
    step: int = 0

    def state_dict(self) -> dict:
        """Of everything, with the generators of torch."""
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
        """Restore everything."""
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
    training: Training,
    schedule: Schedule,
    plan: Plan,
    *,
    place: Place,
    checkpoints: Checkpoints,
    keep_snapshot: Callable[[int, nn.Module], None],
) -> None:
    """Train to the end, from where ``training`` is.

    Raises
    ------
    UserError
        If the loss or the gradient is not finite (the step, terms and keys are in ``failure.json`` in the
        folder of the checkpoints), or it is asked to stop (a checkpoint is there).
    """
    model, parts = training.model, training.parts
    step_module = _distributed(Step(model, parts.objective), place)
    batches = iter(parts.source)
    model.train()
    with Stop() as stop, _bar(training, plan, place) as bar:
        while training.step < plan.steps:
            taken = [next(batches).to(place.device) for _ in range(plan.accumulate)]
            factor = schedule(training.step)
            for parameter in training.trained:
                parameter.grad = None
            with _autocast(plan, place):
                terms = _backward(step_module, parts.objective, taken)
            norm = _clip(training.trained, plan.clip)
            values = _numbers(terms | {"gradient_norm": norm}, place)
            training.step += 1
            if not all(map(math.isfinite, values.values())):
                _fail(training.step, values, taken, checkpoints.folder, place)
            training.optimiser.step(factor)
            now = {
                "learning_rate": plan.rate * factor,
                "temperature": float(model.logit_scale.detach().exp()),
            }
            training.log.add(training.step, values, now)
            for hook in parts.hooks:
                hook.after_step(training.step, model)
            if training.step in plan.snapshots and place.rank == 0:
                keep_snapshot(training.step, model)
            bar.update(parts.batch_size)
            _save_or_stop(training, plan, place, checkpoints, stop)


def _bar(training: Training, plan: Plan, place: Place) -> contextlib.AbstractContextManager:
    size = training.parts.batch_size
    bar = progress(None, total=plan.steps * size, unit="image", what="training")
    if training.step:
        bar.update(training.step * size)
    bar.disable = bar.disable or place.rank != 0
    return bar


def _autocast(plan: Plan, place: Place) -> contextlib.AbstractContextManager:
    kind = torch.device(place.device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=plan.precision == "bf16")


def _distributed(step: Step, place: Place) -> nn.Module:
    if place.world == 1:
        return step
    return nn.parallel.DistributedDataParallel(step)


def _backward(step: nn.Module, objective: Objective, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """Gradients of a step into the parameters; its terms."""
    if len(batches) == 1:
        terms = step(batches[0])
        terms["loss"].backward()
        return terms
    if isinstance(objective, Contrastive):
        model = getattr(step, "module", step).model
        terms, handed = objective.hand_back(model, batches)
        for batch, gradients, synced in _parts(step, batches, handed):
            with synced:
                step(batch, gradients).backward()
        return terms
    sums: dict[str, Tensor] = {}
    for batch, _, synced in _parts(step, batches, [None] * len(batches)):
        with synced:
            terms = step(batch)
            (terms["loss"] / len(batches)).backward()
        for name, value in terms.items():
            sums[name] = sums.get(name, 0) + value.detach() / len(batches)
    return sums


def _parts(
    step: nn.Module, batches: Sequence[Batch], handed: Sequence[Handed | None]
) -> Iterator[tuple[Batch, Handed | None, contextlib.AbstractContextManager]]:
    """Each part, and whether the processes add up their gradients after it: after the last one only."""
    for number, (batch, gradients) in enumerate(zip(batches, handed, strict=True), start=1):
        waits = number < len(batches) and hasattr(step, "no_sync")
        yield batch, gradients, step.no_sync() if waits else contextlib.nullcontext()


def _clip(parameters: Sequence[nn.Parameter], largest: float | None) -> Tensor:
    """Scale the gradients to a norm of ``largest`` at most; the norm that they had."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if largest is not None:
        torch._foreach_mul_(gradients, (largest / norm).clamp(max=1))
    return norm


def _numbers(values: Mapping[str, Tensor], place: Place) -> dict[str, float]:
    """The means over the processes; all at once, since each transfer from an accelerator waits for it."""
    stacked = torch.stack([value.detach().float() for value in values.values()])
    if place.world > 1:
        torch.distributed.all_reduce(stacked)
        stacked /= place.world
    return dict(zip(values, stacked.tolist(), strict=True))


def _fail(
    step: int, values: Mapping[str, float], batches: Sequence[Batch], folder: Path, place: Place
) -> None:
    path = folder / f"failure-{place.rank}.json"
    keys = [key for batch in batches for key in batch.keys]
    told = {name: str(value) for name, value in values.items()}
    write_json(path, {"step": step, "terms": told, "keys": keys})
    terms = ", ".join(f"{name} {value}" for name, value in told.items())
    raise UserError(
        f"step {step}: not a finite number ({terms}); the keys of its batch are in {path}; lower the "
        "learning rate or look at these examples"
    )


def _save_or_stop(training: Training, plan: Plan, place: Place, checkpoints: Checkpoints, stop: Stop) -> None:
    asked = stop.signal is not None
    if place.world > 1 and training.step % _AGREE_EVERY == 0:
        asked = _any(asked, place)
    elif place.world > 1:
        asked = False
    if asked and training.step < plan.steps:
        if place.rank == 0:
            checkpoints.save(training.step, training.state_dict())
        name = "a signal" if stop.signal is None else stop.name
        raise UserError(
            f"stopped by {name} after step {training.step} of {plan.steps}; run again to go on from there"
        )
    if place.rank == 0 and checkpoints.is_due():
        checkpoints.save_if_possible(training.step, training.state_dict())


def _any(asked: bool, place: Place) -> bool:
    flag = torch.tensor(int(asked), device=place.device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag)
