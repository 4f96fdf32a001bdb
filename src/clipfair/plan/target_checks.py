"""Checks of the targets of a call: one that nothing makes is one line with the closest known targets."""

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from clipfair.core import paths
from clipfair.core.errors import UserError, unknown
from clipfair.core.paths import FOLDER_SPEC, RUN_LEVELS, Run
from clipfair.data.prepare import find_loader
from clipfair.plan.configuration.types import NONE
from clipfair.plan.data_jobs import shards_of
from clipfair.plan.data_targets import data_targets
from clipfair.plan.draws import family_message
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.targets import PAPERS, model_cards, study_targets

_LEVEL = re.compile(r"(\w+)~([^/]+)")
_WHAT = {"balance": "condition", "attr": "attribute", "lam": "λ"}
# Of a level that is the name of a file, such as ``shard~00000.parquet``.
_SUFFIX = re.compile(rf"({re.escape(FOLDER_SPEC)}|\.report\.json|\.json|\.csv|\.parquet)$")
_CAPTIONS = PurePosixPath(paths.CAPTION_ANNOTATIONS).name


def check_targets(
    plan: StudyPlan,
    targets: Iterable[str],
    *,
    left_out: Collection[str] = (),
    rules: Collection[str],
    is_made: Callable[[str], bool],
) -> None:
    """Check that each target is made by a rule, for this study and with ids that exist.

    Parameters
    ----------
    plan
        The whole study.
    left_out
        The tables that are not built, because their data are missing.
    rules
        The names of the rules.
    is_made
        Returns whether a rule makes a file of that name.

    Raises
    ------
    UserError
        The first target that is not made. Snakemake would print several lines or a traceback.
    """
    for name in map(str, map(PurePosixPath, targets)):
        if name in rules:
            continue
        _check_study(plan, name)
        _check_data(plan, name)
        _check_levels(plan, name)
        _check_run(plan, name)
        if _table_of(plan, name) in left_out:
            raise UserError(
                f"{name}: missing_data=leave_out leaves out this table, because its data are missing; "
                "get the data that the message before the plan names"
            )
        if not is_made(name):
            raise UserError(_unknown_target(plan, name, rules))


def _check_study(plan: StudyPlan, target: str) -> None:
    parts = PurePosixPath(target).parts
    studies = plan.configuration.studies
    if parts[:1] != ("results",) or len(parts) < 4 or parts[2] == plan.study:
        return
    if parts[2] in studies:
        raise UserError(
            f"{target}: a file of study {parts[2]!r}, and this is study {plan.study!r}; "
            f"add --config study={parts[2]}"
        )
    raise UserError(f"{target}: {unknown('study', parts[2], studies)}")


def _check_data(plan: StudyPlan, target: str) -> None:
    """Check dataset, loader and version of a target below data/."""
    folder, _, rest = target.removeprefix("data/").partition("/")
    if not target.startswith("data/") or folder not in ("raw", "prepared", "contents", "decoded"):
        return
    dataset, *version = (_SUFFIX.sub("", part) for part in rest.split("/"))
    if dataset not in plan.datasets:
        raise UserError(f"{target}: {unknown('dataset', dataset, plan.listed_datasets)}")
    if plan.is_family(dataset):
        raise UserError(f"{target}: {family_message(dataset, plan.configuration.generated)}")
    if folder == "prepared":
        find_loader(plan.datasets[dataset])
    if version and version[0] != plan.datasets[dataset].version:
        raise UserError(f"{target}: {unknown('version', version[0], [plan.datasets[dataset].version])}")


def _check_levels(plan: StudyPlan, target: str) -> None:
    """Check the ids in the folders of a target, such as ``balance~proxies``."""
    levels = _levels_of(target)
    for level, known in _known_levels(plan, target, levels).items():
        if level in levels and levels[level] not in known:
            raise UserError(f"{target}: {unknown(_WHAT.get(level, level), levels[level], known)}")


def _levels_of(target: str) -> dict[str, str]:
    return dict(_LEVEL.findall(_SUFFIX.sub("", target)))


def _known_levels(plan: StudyPlan, target: str, levels: Mapping[str, str]) -> dict[str, Collection[str]]:
    configuration = plan.configuration
    annotations = {
        name: entry for name, entry in configuration.annotations.items() if not plan.is_family(name)
    }
    known: dict[str, Collection[str]] = {
        "dataset": plan.datasets,
        "balance": [NONE, *configuration.balances, *configuration.schedules],
        "model": [*configuration.models, *configuration.classifiers],
        "method": [*configuration.methods, *configuration.mitigations],
    }
    if target.startswith("results/balance/"):
        known |= {"dataset": annotations, "balance": configuration.balances}
    if target.startswith("results/annotate/"):
        source = "captions" if target.endswith(_CAPTIONS) else "pairs"
        known["dataset"] = [name for name, entry in annotations.items() if entry.source == source]
        if levels.get("dataset") in known["dataset"]:
            known["shard"] = known["neutral"] = shards_of(plan, levels["dataset"], "{shard}")
    search = PurePosixPath(target).parent.name
    if search in plan.searches:
        known["part"] = [str(part) for part in range(plan.searches[search].parts)]
    return known


def _check_run(plan: StudyPlan, target: str) -> None:
    """Check that the study has the run or the batch whose folder a target lies in."""
    levels = {level: value for level, value in _levels_of(target).items() if level in RUN_LEVELS}
    if not levels.keys() >= set(RUN_LEVELS) - {"seed"}:
        return
    seed = levels.pop("seed", "")
    batch = Run(**levels)
    if batch in {one for grid in plan.tabular_grids for one in plan.tabular_batches(grid)}:
        return
    known = plan.seeds_of(batch)
    if seed and seed not in map(str, known):
        seeds = ", ".join(map(str, known))
        raise UserError(f"{target}: no grid of study {plan.study!r} has seed {seed}; known: {seeds}")


def _unknown_target(plan: StudyPlan, target: str, rules: Collection[str]) -> str:
    table = _table_of(plan, target)
    if table is not None and table not in plan.tables:
        studies = [name for name, study in plan.configuration.studies.items() if table in study.tables]
        return (
            f"{target}: study {plan.study!r} does not build the table {table}; add it to the study's tables, "
            f"or choose one that does ({', '.join(studies) or 'none'})"
        )
    close = _closest(plan, target, rules)
    hint = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
    names = ", ".join(["all", "data", *PAPERS])
    return (
        f"unknown target {target!r}{hint}; known: {names}, and files of results, "
        f"such as {paths.TABLE.format(study=plan.study, paper='<paper>', table='<table>')}.md"
    )


def _table_of(plan: StudyPlan, target: str) -> str | None:
    """The table of the configuration that a target names, with or without its folder and suffix."""
    name = _short(plan, target).partition(".")[0]
    return name if name in plan.configuration.tables else None


def _closest(plan: StudyPlan, target: str, rules: Collection[str]) -> list[str]:
    """At most three known targets with names similar to ``target``, apart from the part common to all
    tables."""
    known = {name: name for name in rules}
    for file in [*study_targets(plan), *model_cards(plan), *data_targets(plan)]:
        known.setdefault(_short(plan, file), file)
        known.setdefault(_short(plan, file).rpartition(".")[0], file)
    name = _short(plan, target)
    if name in known:
        return [known[name]]
    close = difflib.get_close_matches(name, known, n=6, cutoff=0.8)
    return list(dict.fromkeys(known[one] for one in close))[:3]


def _short(plan: StudyPlan, target: str) -> str:
    file = os.path.relpath(target) if Path(target).is_absolute() else target
    return file.removeprefix(f"results/tables/{plan.study}/").removeprefix("results/")
