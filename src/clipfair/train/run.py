"""One training from its settings to its files, as the only process or as one of several."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from clipfair.core import paths
from clipfair.core.errors import UserError, unknown
from clipfair.core.io import sha256_of
from clipfair.core.provenance import settings_digest
from clipfair.models.build import build
from clipfair.models.interface import BuiltModel
from clipfair.train.checkpoint import Checkpoints
from clipfair.train.interfaces import Process, TrainingParts
from clipfair.train.log import ROWS, TrainingLog
from clipfair.train.loop import LoopSettings, TrainingState, run_loop
from clipfair.train.optimisers import make_optimiser
from clipfair.train.outputs import make_spec, save_weights, write_outputs
from clipfair.train.schedules import make_schedule

KINDS = ("pretrain", "finetune", "blip2")
# Type of device -> steps between two reads of the values of the steps: a read waits for a GPU, which then
# waits for the next step.
READ_EVERY = {"cpu": 1, "cuda": 10}
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
    keep_checkpoint: bool = False,
) -> None:
    """Train one model and write its files; continue from the checkpoint in ``scratch`` if there is one.

    Parameters
    ----------
    settings
        ``run`` (the seven levels of its key), ``model``, ``recipe``, ``method`` (``kind`` and
        ``settings``) and ``stages``: the resolved entries of the configuration.
    data
        ``raw``, and ``keep`` (of each stage) or ``table``; see the kind's ``make_parts``. ``vocabulary``, if
        the model's tokenizer reads one. ``cache`` is a folder that several runs share.
    weights
        The initial weights, a .safetensors; None for random ones.
    out
        Paths: ``model``, ``spec``, ``log``, ``snapshots`` (a folder), and ``epochs`` if there may be any.
    scratch
        The folder of this run's checkpoints, which are removed at the end of the training.
    code
        The digest of the code, for the spec.
    threads
        CPU threads of each process; the same number gives the same bytes.
    keep_checkpoint
        Leave a checkpoint of the last step, from which a second call only writes the files again.

    Raises
    ------
    UserError
        On wrong settings or data, before training where possible, and as :func:`run_loop` says.
    """
    torch.set_num_threads(threads)
    process = _join_processes(settings["recipe"].get("gpus", 0))
    try:
        torch.manual_seed(settings["run"]["seed"])
        built = build(settings["model"], weights, settings["run"]["seed"])
        parts = _make_parts(settings, data, built, process=process, out=out, scratch=scratch)
        inputs = _input_files(data, weights)
        _train(
            settings,
            built,
            parts,
            process=process,
            inputs=inputs,
            out=out,
            scratch=scratch,
            code=code,
            keep_checkpoint=keep_checkpoint,
        )
    finally:
        if process.world > 1:
            torch.distributed.destroy_process_group()


def _train(
    settings: Mapping,
    built: BuiltModel,
    parts: TrainingParts,
    *,
    process: Process,
    inputs: Mapping[str, str],
    out: Mapping[str, str],
    scratch: str,
    code: str,
    keep_checkpoint: bool,
) -> None:
    recipe, model = settings["recipe"], built.model
    failure = str(Path(scratch, paths.FAILURE.format(rank=process.rank)))
    loop_settings = _loop_settings(recipe, parts, process, failure)
    parts.objective.prepare(model)
    model.to(process.device)
    if recipe.get("channels_last"):
        model.to(memory_format=torch.channels_last)
    trained = _select_parameters(model, parts)
    if recipe.get("compile"):
        _compile(model)
    log = TrainingLog(max(1, loop_settings.steps // ROWS), parts.batch_size)
    optimiser = make_optimiser(recipe, trained)
    training = TrainingState(model, parts, optimiser, [parameter for _, parameter in trained], log)
    checkpoints = _checkpoints(settings, inputs, code, scratch)
    if (state := checkpoints.load()) is not None:
        training.load_state_dict(state)
    snapshots = Path(scratch, "snapshots")

    def save_snapshot(step: int, model: nn.Module) -> None:
        save_weights(snapshots / f"{step * parts.batch_size}.safetensors", model.state_dict())

    run_loop(
        training,
        make_schedule(recipe, loop_settings.steps),
        loop_settings,
        process=process,
        checkpoints=checkpoints,
        save_snapshot=save_snapshot,
    )
    if process.rank == 0:
        if keep_checkpoint:
            checkpoints.save(training.step, training.state_dict())
        spec = make_spec(
            settings,
            parts,
            code=code,
            inputs=inputs,
            steps=loop_settings.steps,
            process=process,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
        )
        chosen = [best for hook in parts.hooks if (best := hook.best()) is not None]
        write_outputs(out, chosen[0] if chosen else model.state_dict(), spec, log, snapshots)
        if not keep_checkpoint:
            checkpoints.clear()


def _checkpoints(settings: Mapping, inputs: Mapping[str, str], code: str, scratch: str) -> Checkpoints:
    """Return the checkpoints of this run, identified by everything that decides its result."""
    digests = {name: sha256_of(path) for name, path in inputs.items()}
    identity = settings_digest({"settings": dict(settings), "inputs": digests, "code": code})
    minutes = settings["recipe"].get("checkpoint_minutes", 10)
    return Checkpoints(Path(scratch, paths.CHECKPOINTS), identity, minutes)


def _make_parts(
    settings: Mapping,
    data: Mapping,
    built: BuiltModel,
    *,
    process: Process,
    out: Mapping[str, str],
    scratch: str,
) -> TrainingParts:
    kind = settings["method"]["kind"]
    if kind not in KINDS:
        raise UserError(f"methods.yaml: {unknown('kind', kind, KINDS)}")
    module = import_module(f"clipfair.train.kinds.{kind}")
    return module.make_parts(settings, data, built, process=process, out=out, scratch=scratch)


def _input_files(data: Mapping, weights: str | None) -> dict[str, str]:
    """Return the input files of a training by name."""
    found = {f"keep{number}": path for number, path in enumerate(data.get("keep", ()))}
    found |= {name: data[name] for name in ("table", "vocabulary") if name in data}
    return found | ({} if weights is None else {"weights": weights})


def _loop_settings(recipe: Mapping, parts: TrainingParts, process: Process, failure: str) -> LoopSettings:
    steps = parts.examples // parts.batch_size
    if steps == 0:
        raise UserError(
            f"recipes.yaml: {parts.examples} examples are fewer than a batch of {parts.batch_size}; raise "
            "examples or lower batch_size"
        )
    precision = recipe.get("precision", "fp32")
    if precision not in PRECISIONS:
        raise UserError(f"recipes.yaml: {unknown('precision', precision, PRECISIONS)}")
    return LoopSettings(
        steps=steps,
        accumulate=parts.accumulate,
        rate=recipe["learning_rate"],
        clip=recipe.get("clip"),
        precision=precision,
        snapshots=frozenset(max(1, round(share * steps)) for share in recipe.get("snapshots", ())),
        read_every=READ_EVERY[torch.device(process.device).type],
        failure=failure,
    )


def _select_parameters(model: nn.Module, parts: TrainingParts) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters that the objective trains, and freeze the others."""
    trained = list(parts.objective.parameters(model))
    model.requires_grad_(False)
    for _, parameter in trained:
        parameter.requires_grad_(True)
    return trained


def _compile(model: nn.Module) -> None:
    """Compile both towers; the names of the weights do not change."""
    model.visual.compile()
    model.encode_text = torch.compile(model.encode_text)


def _join_processes(gpus: int) -> Process:
    """Join the processes that torchrun started; without torchrun this process is alone.

    Raises
    ------
    UserError
        If more GPUs are asked for than there are.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    local = int(os.environ.get("LOCAL_RANK", 0))
    if gpus > torch.cuda.device_count():
        raise UserError(
            f"recipes.yaml: gpus is {gpus}, but this machine has {torch.cuda.device_count()}; lower gpus "
            "(0 trains on the CPU) or run on a machine with GPUs"
        )
    if gpus:
        torch.cuda.set_device(local)
        _use_deterministic_kernels()
    if world > 1:
        torch.distributed.init_process_group("nccl" if gpus else "gloo")
    return Process(rank, world, f"cuda:{local}" if gpus else "cpu")


def _use_deterministic_kernels() -> None:
    """Use only kernels that give the same bytes again on the same type of GPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
