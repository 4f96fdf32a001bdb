"""Targets that are files of runs: the study must have the run."""

import re
from collections.abc import Iterable

from clipfair.core.errors import UserError
from clipfair.core.paths import FOLDER_SPEC, RUN_LEVELS, Run
from clipfair.plan.study_plan import StudyPlan

_LEVEL = re.compile(rf"({'|'.join(RUN_LEVELS)})~([^/]+)")


def check_run_targets(plan: StudyPlan, targets: Iterable[str]) -> None:
    """Check that the study has the run of each target that lies in the folder of a run or a batch.

    Raises
    ------
    UserError
        If one of them is in no grid of the study. Snakemake would print a traceback.
    """
    tabular = {batch for grid in plan.tabular_grids for batch in plan.tabular_batches(grid)}
    for target in targets:
        levels = dict(_LEVEL.findall(target.removesuffix(FOLDER_SPEC)))
        if not levels.keys() >= set(RUN_LEVELS) - {"seed"}:
            continue
        seed = levels.pop("seed", None)
        batch = Run(**levels)
        if batch in tabular:
            continue
        known = plan.seeds_of(batch)
        if seed is not None and seed not in map(str, known):
            seeds = ", ".join(map(str, known))
            raise UserError(f"{target}: no grid of study {plan.study!r} has seed {seed}; known: {seeds}")
