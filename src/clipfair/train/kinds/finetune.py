"""Fine-tuning a CLIP on images with texts, with or without a fairness loss (the FairCLIP papers).

See docs/fairclip-protocol.md, sections 1 and 2.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.metrics.distances import check_distance
from clipfair.models.interface import BuiltModel
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.group_dro import GroupDro
from clipfair.train.fairclip.objective import FairclipObjective
from clipfair.train.finetuning.augmentation import AugmentedImages, augmented_images
from clipfair.train.finetuning.batches import CELLS, WEIGHTS, GroupedBatches
from clipfair.train.finetuning.epochs import EpochTracker
from clipfair.train.finetuning.examples import Examples, check_groups, read_splits
from clipfair.train.finetuning.groups import Cells, TrainingGroups, grouped_attributes, read_groups
from clipfair.train.interfaces import Process, TrainingParts
from clipfair.train.order import check_size


def make_parts(
    settings: Mapping,
    data: Mapping,
    built: BuiltModel,
    *,
    process: Process,
    out: Mapping[str, str],
    scratch: str,
) -> TrainingParts:
    """Return the parts of a fine-tuning. The model before it is measured as epoch 0.

    The parameters are those of :func:`clipfair.train.kinds.pretrain.make_parts`, with these differences:

    Parameters
    ----------
    settings
        The method's settings are the values of all switches (docs/fairclip-methods.md). ``fairness`` has
        ``lam`` (λ) and ``weights`` (of each attribute), or is None. The recipe has ``batch_size`` and
        ``accumulate`` (examples of a batch, batches of a step), ``group_batch_size``, ``epochs``,
        ``prompts`` (of label 0, of label 1), ``tracked`` (distances measured each epoch), and the entries
        that :mod:`clipfair.train.finetuning.examples` reads.
    data
        ``raw``, ``table`` and ``cache``.
    out
        ``epochs``: the path of epochs.csv.

    Raises
    ------
    UserError
        On anything wrong in method, recipe or data that can be known before training.
    """
    recipe, run = settings["recipe"], settings["run"]
    # Plain values, not a model of the configuration: an edit of its schema must not train a model again.
    switches, fairness = settings["method"]["settings"], settings["fairness"]
    _check(recipe, switches, process)
    cache = data.get("cache", scratch)
    splits = read_splits(recipe, data, built, seed=run["seed"], cache=cache)
    check_size("training split", len(splits["train"]), recipe["batch_size"])
    check_groups(splits, grouped_attributes(switches, fairness, run))
    groups = read_groups(splits["train"], switches, fairness, run)
    augmented = augmented_images(recipe, splits["train"], data, built)
    source = _make_source(switches, recipe, splits["train"], built, groups, run["seed"], augmented)
    tracker = _make_tracker(switches, recipe, splits, built, source, process, out, scratch)
    checks = DeferredChecks()
    prompts = built.tokenizer(recipe["prompts"])
    objective = _make_objective(switches, fairness, groups, built, checks, source.divisor, prompts)
    built.model.to(process.device)
    tracker.measure_epoch(0, built.model)
    return TrainingParts(
        source=source,
        objective=objective,
        batch_size=source.step_size,
        examples=recipe["epochs"] * source.steps_per_epoch * source.step_size,
        accumulate=1 if source.only_last else source.accumulate,
        hooks=[tracker],
        facts=_facts(data, splits, switches),
        checks=checks,
    )


def _facts(data: Mapping, splits: Mapping[str, Examples], switches: Mapping) -> dict:
    sizes = {name: len(examples) for name, examples in splits.items()}
    return {"raw": str(data["raw"]), "splits": sizes, "switches": dict(switches)}


def _make_source(
    switches: Mapping,
    recipe: Mapping,
    train: Examples,
    built: BuiltModel,
    groups: TrainingGroups,
    seed: int,
    augmented: AugmentedImages | None,
) -> GroupedBatches:
    return GroupedBatches(
        train,
        built,
        [rows for _, rows in groups.of_loss],
        batch_size=recipe["batch_size"],
        group_batch_size=recipe["group_batch_size"],
        seed=seed,
        shared=switches["generators"] == "shared",
        drop_last=switches["drop_last"],
        drop_last_groups=switches["drop_last_groups"],
        accumulate=recipe.get("accumulate", 1),
        only_last=switches["accumulation"] == "last",
        mismatched=switches["mismatched_pairs"],
        augmented=augmented,
        balanced=groups.cells.rows if switches["sampler"] == "group-balanced" else (),
        columns=_columns(switches, groups.cells),
    )


def _columns(switches: Mapping, cells: Cells | None) -> dict[str, Tensor]:
    """Return what the objective needs of each example: its weight, or its cell."""
    if switches["example_weights"] != "none":
        return {WEIGHTS: torch.from_numpy(cells.weights(switches["example_weights"])).float()}
    return {} if switches["dro_step"] is None else {CELLS: torch.from_numpy(cells.codes)}


def _make_objective(
    switches: Mapping,
    fairness: Mapping | None,
    groups: TrainingGroups,
    built: BuiltModel,
    checks: DeferredChecks,
    divisor: int,
    prompts: Tensor,
) -> FairclipObjective:
    step = switches["dro_step"]
    return FairclipObjective(
        switches,
        fairness,
        [attribute for attribute, _ in groups.of_loss],
        built,
        checks,
        divisor=divisor,
        prompts=prompts,
        robust=None if step is None else GroupDro(groups.cells.count, step),
    )


def _make_tracker(
    switches: Mapping,
    recipe: Mapping,
    splits: Mapping[str, Examples],
    built: BuiltModel,
    source: GroupedBatches,
    process: Process,
    out: Mapping[str, str],
    scratch: str,
) -> EpochTracker:
    return EpochTracker(
        splits,
        built,
        built.tokenizer(recipe["prompts"]),
        attributes=recipe["attributes"],
        tracked=recipe["tracked"],
        steps_per_epoch=source.steps_per_epoch,
        step_size=source.step_size,
        batch_size=recipe["batch_size"],
        measures_test=recipe.get("measure_test", True) or switches["selection"] == "test",
        selection=switches["selection"],
        unit_length=switches["selection_scores"] == "cosine",
        drop_last=switches["drop_last_validation"],
        saved_as_half=switches["saved"] == "fp16",
        path=out["epochs"],
        failure=str(Path(scratch, paths.FAILURE.format(rank=process.rank))),
        device=process.device,
    )


def _check(recipe: Mapping, switches: Mapping, process: Process) -> None:
    if switches["distance"] is not None:
        check_distance(switches["distance"], where="methods: distance")
    if process.world > 1:
        raise UserError("recipes.yaml: fine-tuning takes one process; set gpus to 1 or 0")
    if len(recipe["prompts"]) != 2:
        raise UserError(
            f"recipes.yaml: {len(recipe['prompts'])} prompts; expected two, of label 0 and of label 1"
        )
