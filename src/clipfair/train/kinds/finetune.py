"""Fine-tuning a CLIP on images with texts, with or without a fairness loss (the FairCLIP papers).

See docs/fairclip-protocol.md, sections 1 and 2.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.metrics.distances import check_distance
from clipfair.models.interface import BuiltModel
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.objective import FairclipObjective
from clipfair.train.finetuning.augmentation import AugmentedImages, augmented_images
from clipfair.train.finetuning.batches import GroupedBatches
from clipfair.train.finetuning.epochs import EpochTracker
from clipfair.train.finetuning.examples import Examples, check_groups, read_splits
from clipfair.train.interfaces import Process, TrainingParts
from clipfair.train.order import check_size

# The number of the random generator that shuffles groups; those of the batches have the numbers 0, 1, ...
PLACEBO_STREAM = 2**32 - 1


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
    recipe, seed = settings["recipe"], settings["run"]["seed"]
    # Plain values, not a model of the configuration: an edit of its schema must not train a model again.
    switches, fairness = settings["method"]["settings"], settings["fairness"]
    _check(recipe, switches, process)
    attributes = [] if fairness is None else list(fairness["weights"])
    cache = data.get("cache", scratch)
    splits = read_splits(recipe, data, built, subsample=switches["subsample"], seed=seed, cache=cache)
    check_size("training split", len(splits["train"]), recipe["batch_size"])
    check_groups(splits, attributes)
    augmented = augmented_images(recipe, splits["train"], data, built)
    source, attribute_of = _make_source(switches, recipe, splits["train"], built, attributes, seed, augmented)
    tracker = _make_tracker(switches, recipe, splits, built, source, process, out, scratch)
    checks, prompts = DeferredChecks(), built.tokenizer(recipe["prompts"])
    objective = FairclipObjective(
        switches, fairness, attribute_of, built, checks, divisor=source.divisor, prompts=prompts
    )
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
    attributes: Sequence[str],
    seed: int,
    augmented: AugmentedImages | None,
) -> tuple[GroupedBatches, list[str]]:
    """Return the batches, and the attribute of each group batch."""
    members = {name: train.members(name) for name in attributes}
    if switches["groups"] == "shuffled":
        members = shuffle_groups(members, seed)
    groups = [(name, rows) for name in attributes for rows in members[name].values()]
    source = GroupedBatches(
        train,
        built,
        [rows for _, rows in groups],
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
    )
    return source, [name for name, _ in groups]


def shuffle_groups(
    members: Mapping[str, Mapping[str, np.ndarray]], seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Permute the groups of each attribute among the examples whose group is known; sizes stay.

    Parameters
    ----------
    members
        Attribute -> group -> the rows of its examples.
    seed
        Of the run; the batches have other generators, so the placebo has the batches of its counterpart.
    """
    rng = np.random.default_rng([seed, PLACEBO_STREAM])
    shuffled = {}
    for attribute, groups in members.items():
        rows = rng.permutation(np.concatenate(list(groups.values())))
        parts = np.split(rows, np.cumsum([len(group) for group in groups.values()])[:-1])
        shuffled[attribute] = {name: np.sort(part) for name, part in zip(groups, parts, strict=True)}
    return shuffled


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
