"""Checks before any job of the files and folders outside the repository that a study reads or writes."""

import os
from pathlib import Path

from clipfair.core.errors import UserError
from clipfair.models.local_weights import check_local_weights
from clipfair.plan.configuration.models import LocalWeights
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import fetched_weights


def check_scratch(plan: StudyPlan) -> None:
    """Check that the folder of checkpoints is one that can be written to, or can be made.

    Raises
    ------
    UserError
        If it is not, and the study trains.
    """
    if not plan.searches and not any(plan.is_trained(batch) for batch in plan.batches):
        return
    folder = Path(plan.configuration.scratch).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    where = f"scratch: {plan.configuration.scratch}"
    if not existing.is_dir():
        raise UserError(f"{where}: {existing} is a file; name a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{where}: {existing} cannot be written to; name another folder")


def check_own_weights(plan: StudyPlan) -> None:
    """Check the sha256 of local weights that the study starts from, unless they have been read already.

    Raises
    ------
    UserError
        At the first file that is another one.
    """
    for model in dict.fromkeys(batch.model for batch in plan.batches):
        weights = plan.configuration.models[model].weights
        if isinstance(weights, LocalWeights) and not Path(fetched_weights(plan, model)).exists():
            check_local_weights(model, weights.model_dump())
