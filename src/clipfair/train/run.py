"""One training from its settings to its files: on this process, or as one of several."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from clipfair.core.errors import UserError
from clipfair.core.io import sha256_of
from clipfair.core.provenance import settings_digest
from clipfair.core.schema import unknown
from clipfair.models.build import build
from clipfair.models.interface import Built
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.log import ROWS, Log
from clipfair.train.loop import Plan, Training, run_loop
from clipfair.train.optimisers import make_optimiser
from clipfair.train.outputs import make_spec, save_weights, write_outputs
from clipfair.train.protocols import Parts, Place
from clipfair.train.schedules import make_schedule

KINDS = ("pretrain", "finetune", "blip2")
PRECISIONS = ("fp32", "bf16")


def train(
    settings: Mapping,
    *,
    data: Mapping,
    weights: str | None,
    out: Mapping[str, str],
    scratch: str,
    code: str = "",
    threads: int = 1,
) -> None:
    """Train one model and write what it leaves; or go on with what ``scratch`` has of it.

    Parameters
    ----------
    settings
        ``run`` (the seven levels of its key), ``model``, ``recipe``, ``method`` (``kind`` and
        ``settings``) and ``stages``: the lines of the registry.
    data
        ``raw``, and ``keep`` (of each stage) or ``table``; see the kind's ``make_parts``. ``vocabulary``, if
        the model's tokenizer reads one. ``cache`` is a folder for what several runs may share.
    weights
        What the model starts from; None for random ones.
    out
        Paths: ``model``, ``spec``, ``log``, ``curves``, ``card``, ``snapshots`` (a folder), and
        ``epochs`` if there may be any.
    scratch
        A folder of this run's own, with its checkpoints; removed when the run has ended.
    code
        The digest of the code, for the spec.
    threads
        Of each process on a CPU; the same number gives the same bytes.

    Raises
    ------
    UserError
        On anything that a person can mend: before training where possible, and as :func:`run_loop` says.
    """
    torch.set_num_threads(threads)
    recipe = settings["recipe"]
    place = _join(recipe.get("gpus", 0))
    try:
        torch.manual_seed(settings["run"]["seed"])
        built = build(settings["model"], weights, settings["run"]["seed"])
        parts = _make_parts(settings, data, built, place=place, out=out, scratch=scratch)
        _train(
            settings,
            built,
            parts,
            place=place,
            inputs=_inputs(data, weights),
            out=out,
            scratch=scratch,
            code=code,
        )
    finally:
        if place.world > 1:
            torch.distributed.destroy_process_group()


def _train(
    settings: Mapping,
    built: Built,
    parts: Parts,
    *,
    place: Place,
    inputs: Mapping[str, str],
    out: Mapping[str, str],
    scratch: str,
    code: str,
) -> None:
    recipe, model = settings["recipe"], built.model
    plan = _plan(recipe, parts)
    parts.objective.prepare(model)
    model.to(place.device)
    trained = _choose_parameters(model, parts)
    if recipe.get("compile"):
        _compile(model)
    training = Training(
        model,
        parts,
        make_optimiser(recipe, trained),
        [parameter for _, parameter in trained],
        Log(max(1, plan.steps // ROWS), parts.batch_size),
    )
    digests = {name: sha256_of(path) for name, path in inputs.items()}
    identity = settings_digest({"settings": dict(settings), "inputs": digests, "code": code})
    checkpoints = Checkpoints(Path(scratch, "checkpoints"), identity, recipe.get("checkpoint_minutes", 10))
    if (state := checkpoints.load()) is not None:
        training.load_state_dict(state)
    snapshots = Path(scratch, "snapshots")

    def keep_snapshot(step: int, model: nn.Module) -> None:
        save_weights(snapshots / f"{step * parts.batch_size}.safetensors", model.state_dict())

    run_loop(
        training,
        make_schedule(recipe, plan.steps),
        plan,
        place=place,
        checkpoints=checkpoints,
        keep_snapshot=keep_snapshot,
    )
    if place.rank == 0:
        spec = make_spec(
            settings,
            parts,
            code=code,
            inputs=inputs,
            steps=plan.steps,
            place=place,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
        )
        chosen = [best for hook in parts.hooks if (best := hook.best()) is not None]
        write_outputs(out, chosen[0] if chosen else model.state_dict(), spec, training.log, snapshots)
        checkpoints.clear()


def _make_parts(
    settings: Mapping, data: Mapping, built: Built, *, place: Place, out: Mapping[str, str], scratch: str
) -> Parts:
    kind = settings["method"]["kind"]
    if kind not in KINDS:
        raise UserError(f"config.methods: {unknown('kind', kind, KINDS)}")
    module = import_module(f"clipfair.train.kinds.{kind}")
    return module.make_parts(settings, data, built, place=place, out=out, scratch=scratch)


def _inputs(data: Mapping, weights: str | None) -> dict[str, str]:
    """The files that a training is made from, by name."""
    found = {f"keep{number}": path for number, path in enumerate(data.get("keep", ()))}
    found |= {name: data[name] for name in ("table", "vocabulary") if name in data}
    return found | ({} if weights is None else {"weights": weights})


def _plan(recipe: Mapping, parts: Parts) -> Plan:
    steps = parts.examples // parts.batch_size
    if steps == 0:
        raise UserError(
            f"config.recipes: {parts.examples} examples are fewer than a batch of {parts.batch_size}; raise "
            "examples or lower batch_size"
        )
    precision = recipe.get("precision", "fp32")
    if precision not in PRECISIONS:
        raise UserError(f"config.recipes: {unknown('precision', precision, PRECISIONS)}")
    return Plan(
        steps=steps,
        accumulate=recipe.get("accumulate", 1),
        rate=recipe["learning_rate"],
        clip=recipe.get("clip"),
        precision=precision,
        snapshots=frozenset(max(1, round(share * steps)) for share in recipe.get("snapshots", ())),
    )


def _choose_parameters(model: nn.Module, parts: Parts) -> list[tuple[str, nn.Parameter]]:
    """What the objective trains; the rest stands still."""
    trained = list(parts.objective.parameters(model))
    model.requires_grad_(False)
    for _, parameter in trained:
        parameter.requires_grad_(True)
    return trained


def _compile(model: nn.Module) -> None:
    """Both towers; names and weights stay as they are."""
    model.visual.compile()
    model.encode_text = torch.compile(model.encode_text)


def _join(gpus: int) -> Place:
    """This process among those that torchrun started; alone if it did not.

    Raises
    ------
    UserError
        If a GPU is asked for where there is none.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    local = int(os.environ.get("LOCAL_RANK", 0))
    if gpus > torch.cuda.device_count():
        raise UserError(
            f"config.recipes: {gpus} GPUs are asked for, {torch.cuda.device_count()} are here; lower gpus "
            "(0 trains on the processor) or run where they are"
        )
    if gpus:
        torch.cuda.set_device(local)
        _repeatable()
    if world > 1:
        torch.distributed.init_process_group("nccl" if gpus else "gloo")
    return Place(rank, world, f"cuda:{local}" if gpus else "cpu")


def _repeatable() -> None:
    """Only what gives the same bytes again, on this kind of GPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
