"""Jobs that search settings: everything that their rules ask for, by search."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from clipfair.core import paths
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import TrainingJob, make_training_job


@dataclass(frozen=True)
class SearchJob:
    """All parts of one search.

    Attributes
    ----------
    settings : ``training`` (the settings of the training that is varied), ``space``, ``trials``, ``seed``,
        ``parts``.
    training : the job of that training.
    journal : the file that all parts share.
    parts : the file of each part.
    scratch : the folder of a part's trainings, with {part}.
    """

    settings: Mapping
    training: TrainingJob
    journal: str
    parts: list[str]
    scratch: str

    def scratch_of(self, part: str | int) -> str:
        """The folder of one part's trainings."""
        return self.scratch.format(part=part)


@cache
def search_job(plan: StudyPlan, name: str) -> SearchJob:
    """The jobs of one search."""
    search = plan.searches[name]
    training = make_training_job(plan, search.run, plan.configuration.recipes[search.recipe], "")
    known = search.model_dump(include={"trials", "seed", "parts"})
    space = {setting: chosen.model_dump(exclude_unset=True) for setting, chosen in search.space.items()}
    return SearchJob(
        settings={"training": training.settings, "space": space, **known},
        training=training,
        journal=search_file(plan, paths.SEARCH_JOURNAL, name),
        parts=[search_file(plan, paths.SEARCH_PART, name, part=part) for part in range(search.parts)],
        scratch=search_file(plan, f"{training.scratch}/{paths.SEARCH_SCRATCH}", name, part="{part}"),
    )


def search_file(plan: StudyPlan, template: str, search: str, **levels: object) -> str:
    """``template`` (with {study}, {search} and ``levels``) of a search."""
    return template.format(study=plan.study, search=search, **levels)
