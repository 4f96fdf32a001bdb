"""Fine-tuning a CLIP on pictures with texts, with or without a fairness loss (the FairCLIP papers)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.metrics import distances
from clipfair.models.interface import Built
from clipfair.plan.fairclip_switches import Switches, read_fairness, read_switches
from clipfair.train.fairclip.half_precision import RoundTrip
from clipfair.train.fairclip.objective import FairObjective
from clipfair.train.finetuning.batches import FairBatches
from clipfair.train.finetuning.epochs import Tracking
from clipfair.train.finetuning.examples import Examples, check_groups, read_splits
from clipfair.train.order import check_size
from clipfair.train.protocols import Parts, Place


def make_parts(
    settings: Mapping, data: Mapping, built: Built, *, place: Place, out: Mapping[str, str], scratch: str
) -> Parts:
    """What the loop needs to fine-tune a model.

    Parameters
    ----------
    settings
        Of the run. Its method has a ``variant`` and switches (:mod:`clipfair.plan.fairclip_switches`); its
        recipe ``batch_size``, ``group_batch_size``, ``epochs``, ``prompts`` (of label 0, of label 1),
        ``tracked`` (distances measured each epoch), and what :mod:`clipfair.train.finetuning.examples` reads.
    data
        ``raw`` and ``table``; ``cache``: a folder that runs share.
    out
        ``epochs``: the path of epochs.csv.

    Raises
    ------
    UserError
        On anything wrong in method, recipe or data that can be known before training.
    """
    run, recipe = Run(**settings["run"]), settings["recipe"]
    _check_recipe(recipe, place)
    switches = _read_method(settings["method"]["settings"])
    fairness = read_fairness(switches, run, recipe["attributes"])
    attributes = [] if fairness is None else list(fairness.weights)
    cache = data.get("cache", scratch)
    splits = read_splits(recipe, data, built, subsample=switches.subsample, seed=run.seed, cache=cache)
    check_size("training split", len(splits["train"]), recipe["batch_size"])
    check_groups(splits, attributes)
    source, attribute_of = _make_source(switches, recipe, splits["train"], built, attributes, run.seed)
    tracking = Tracking(
        splits,
        built,
        built.tokenizer(recipe["prompts"]),
        attributes=recipe["attributes"],
        tracked=recipe["tracked"],
        steps_per_epoch=source.steps_per_epoch,
        batch_size=recipe["batch_size"],
        selection=switches.selection,
        unit_length=switches.selection_scores == "cosine",
        drop_last=switches.drop_last_validation,
        saved_as_half=switches.saved == "fp16",
        path=out["epochs"],
        # Where the loop leaves its own.
        failure=str(Path(scratch, "checkpoints", "failure-0.json")),
        device=place.device,
    )
    built.model.to(place.device)
    tracking.measure_epoch(0, built.model)
    return Parts(
        source=source,
        objective=FairObjective(switches, fairness, attribute_of, built),
        batch_size=recipe["batch_size"],
        examples=recipe["epochs"] * source.steps_per_epoch * recipe["batch_size"],
        # The weights are rounded before they are measured.
        hooks=[*([RoundTrip()] if switches.precision == "fp16_roundtrip" else []), tracking],
        facts={
            "raw": str(data["raw"]),
            "splits": {name: len(examples) for name, examples in splits.items()},
            "switches": asdict(switches),
        },
    )


def _read_method(line: Mapping) -> Switches:
    """The switches of a line of ``methods``, its distance one that can be measured."""
    switches = read_switches(line)
    if switches.distance is not None:
        distances.check(switches.distance, where=f"config.methods: variant {line['variant']}: distance")
    return switches


def _make_source(
    switches: Switches,
    recipe: Mapping,
    train: Examples,
    built: Built,
    attributes: Sequence[str],
    seed: int,
) -> tuple[FairBatches, list[str]]:
    """The batches, and the attribute of each group's."""
    groups = [(name, places) for name in attributes for places in train.members(name).values()]
    source = FairBatches(
        train,
        built,
        [places for _, places in groups],
        batch_size=recipe["batch_size"],
        group_batch_size=recipe["group_batch_size"],
        seed=seed,
        shared=switches.generators == "shared",
        drop_last=switches.drop_last,
        mismatched=switches.mismatched_pairs,
    )
    return source, [name for name, _ in groups]


def _check_recipe(recipe: Mapping, place: Place) -> None:
    if place.world > 1 or recipe.get("accumulate", 1) != 1:
        raise UserError(
            "config.recipes: fine-tuning takes one process and one batch a step; set accumulate: 1, and gpus "
            "to 1 or 0"
        )
    if len(recipe["prompts"]) != 2:
        raise UserError(
            f"config.recipes: {len(recipe['prompts'])} prompts; expected two, of label 0 and of label 1"
        )
