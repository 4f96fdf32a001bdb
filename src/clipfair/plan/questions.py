"""Tables of the questions of the analysis plan: their inputs from the plan, and the runs that the claims
need."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from clipfair.core.errors import unknown
from clipfair.core.paths import Run
from clipfair.core.settings import Key, Violation, parse
from clipfair.plan.analysis_plan import PlannedClaim, PlannedQuestion, read_analysis_plan
from clipfair.plan.claim_words import CHOSEN, worlds_of
from clipfair.plan.configuration.data import GeneratedDataset
from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.table_settings import TABLE_SETTINGS, QuestionSettings, RunValue, WorldsSettings

PART = "questions"
LEVELS = ("method", "lam", "model", "balance")


def question_settings(name: str, table: Table, generated: Mapping[str, GeneratedDataset]) -> dict:
    """The settings of a table of a question, and the inputs of its builder from the analysis plan.

    ``draws`` has the draws of each world of synthetic data, None if it is no family. Empty for another table.
    """
    if not _is_question(name, table):
        return {}
    settings = _parse(table)
    found = settings.model_dump()
    if not isinstance(settings, QuestionSettings):
        return found
    plan = read_analysis_plan()
    worlds = [world for world in settings.worlds if world in plan.worlds]
    return found | {
        "planned": plan.questions[settings.question].model_dump(),
        "rules": plan.model_dump(include={"level", "power", "largest_cost", "levelling_down"}),
        "metrics": {metric: entry.model_dump() for metric, entry in plan.metrics.items()},
        "checks": {world: plan.worlds[world].check.model_dump() for world in worlds},
        "margins": {claim.metric: claim.margin for claim in plan.claims},
        "draws": {
            world: generated[dataset].draws
            for world, dataset in settings.worlds.items()
            if dataset in generated
        },
    }


def check_question(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that a table of a question has a contrast for each planned claim, and its grids the runs of each.

    A trial run may have a part of the worlds and claims.

    Raises
    ------
    Violation
        If a claim has no contrast or a contrast no claim; if a world has no models; if the runs of a contrast
        are missing or ambiguous, or do not have all units of the plan.
    """
    if not _is_question(name, table):
        return
    settings, key = _parse(table), ("tables", name, "settings")
    trained = {plan.grids[grid].dataset for grid in table.grids}
    for world, dataset in settings.worlds.items():
        if dataset not in trained:
            raise Violation(
                (*key, "worlds", world), unknown("dataset of this table's grids", dataset, trained)
            )
    if not isinstance(settings, QuestionSettings):
        return
    questions = read_analysis_plan().questions
    if settings.question not in questions:
        raise Violation((*key, "question"), unknown("question", settings.question, questions))
    question = questions[settings.question]
    _check_claims(settings, question, key)
    for claim in _claims(question):
        for world in worlds_of(claim.world, question.worlds):
            if claim.id in settings.contrasts and world in settings.worlds:
                for value in _values_of(claim, settings):
                    _check_runs(value, settings, world, table, plan, (*key, "contrasts", claim.id))


def _is_question(name: str, table: Table) -> bool:
    """Whether the builder of a table compares runs in worlds."""
    model = TABLE_SETTINGS.get(f"{PART}.{table.builder}")
    return name.startswith(f"{PART}/") and model is not None and issubclass(model, WorldsSettings)


def _parse(table: Table) -> WorldsSettings:
    return parse(TABLE_SETTINGS[f"{PART}.{table.builder}"], table.settings)


def _claims(question: PlannedQuestion) -> Iterator[PlannedClaim]:
    for family in question.families.values():
        yield from family


def _check_claims(settings: QuestionSettings, question: PlannedQuestion, key: Key) -> None:
    planned = {claim.id: claim for claim in _claims(question)}
    for name, contrast in settings.contrasts.items():
        if name not in planned:
            raise Violation(
                (*key, "contrasts", name), unknown(f"claim of {settings.question}", name, planned)
            )
        found, wanted = max(1, len(contrast.methods)), planned[name].repeated
        if found != wanted:
            raise Violation((*key, "contrasts", name), f"has {found} methods; the plan has {wanted}")
    if settings.trial_units is not None:
        return
    for name in planned:
        if name not in settings.contrasts:
            raise Violation((*key, "contrasts"), f"no contrast for claim {name} of the plan; add it")
    if set(settings.worlds) != set(question.worlds):
        found, wanted = ", ".join(settings.worlds), ", ".join(question.worlds)
        raise Violation((*key, "worlds"), f"{settings.question} is planned in {wanted}; found {found}")


def _values_of(claim: PlannedClaim, settings: QuestionSettings) -> Iterator[RunValue]:
    """The values that a claim needs, with the methods of a repeated one."""
    contrast = settings.contrasts[claim.id]
    for method in contrast.methods or [None]:
        update = {} if method is None else {"method": method}
        yield from (value.model_copy(update=update) for value in contrast.of)
    yield from contrast.less


def _check_runs(
    value: RunValue, settings: QuestionSettings, world: str, table: Table, plan: StudyPlan, key: Key
) -> None:
    if value.correlation is not None:
        return
    dataset = settings.worlds[world]
    levels = value.model_dump(include=set(LEVELS), exclude_none=True)
    if value.lam == CHOSEN:
        del levels["lam"]
    named = f"{', '.join(f'{level} {wanted}' for level, wanted in levels.items())} in {world} ({dataset})"
    grids = _grids_of(levels, dataset, table, plan)
    # Runs whose λ is chosen differ in it alone.
    alike = {replace(batch, lam="0") if value.lam == CHOSEN else batch for batch in grids}
    if len(alike) != 1:
        raise Violation(key, f"{len(alike)} settings of runs are {named}; expected one")
    for batch, of_batch in grids.items():
        _check_units(batch, of_batch, settings, key)
        kinds = {plan.configuration.evaluations[one].kind for grid in of_batch for one in grid.evaluations}
        if value.kind is not None and value.kind not in kinds:
            raise Violation(key, f"{named} has no evaluation of kind {value.kind!r}; add one to its grid")


def _grids_of(levels: dict[str, str], dataset: str, table: Table, plan: StudyPlan) -> dict[Run, list[Grid]]:
    """The batches of a table that are trained on a dataset and have these levels, with their grids."""
    found: dict[Run, list[Grid]] = {}
    for grid in (plan.grids[name] for name in table.grids):
        for batch in grid.batches:
            if batch.dataset == dataset and levels.items() <= asdict(batch).items():
                found.setdefault(batch, []).append(grid)
    return found


def _check_units(batch: Run, grids: list[Grid], settings: QuestionSettings, key: Key) -> None:
    planned = read_analysis_plan().questions[settings.question].units
    wanted = set(range(settings.trial_units or planned)) - set(settings.missing_units)
    missing = sorted(wanted - {seed for grid in grids for seed in grid.seeds})
    if missing:
        lost = ", ".join(map(str, missing))
        raise Violation(
            key,
            f"{batch.batch} has no seed {lost}; the plan has {planned} units: add the seeds, or name them in "
            "missing_units if these runs ended twice with a loss that is not finite",
        )
