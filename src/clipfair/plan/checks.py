"""Cross-reference checks: names in the configuration must exist and agree; errors list the known values."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from clipfair.core.errors import unknown
from clipfair.core.paths import Run
from clipfair.core.settings import Violation
from clipfair.plan.baselines import check_baselines, check_own_baselines
from clipfair.plan.configuration.methods import FinetuneMethod
from clipfair.plan.configuration.models import LocalWeights
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid, Table, TabularGrid
from clipfair.plan.configuration.types import NONE, ROLE
from clipfair.plan.data_checks import (
    check_conditions,
    check_evaluation,
    check_generated,
    check_shards,
    check_trained_data,
    check_words,
)
from clipfair.plan.draws import refuse_families
from clipfair.plan.fairness import fairness_of
from clipfair.plan.own_code import check_own_functions
from clipfair.plan.questions import check_question
from clipfair.plan.shown_values import check_metrics, check_one_method, check_tracked
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.table_checks import (
    check_named,
    check_names,
    check_places,
    check_published,
    check_settings,
    check_shown,
    check_used,
)

SOURCE = Path(__file__).parents[1]
# As the wildcard in the Snakefile.
ATTR = re.compile(r"[A-Za-z0-9_-]+")


def check_tables(configuration: Configuration) -> None:
    """Check that the tables of every study exist, and check the inputs of those of the chosen study."""
    for name, study in configuration.studies.items():
        _check_known(("studies", name, "tables"), "table", study.tables, configuration.tables)
    for name in configuration.studies[configuration.study].tables:
        table = configuration.tables[name]
        _check_known(("tables", name, "grids"), "grid", table.grids, configuration.grids)
        _check_known(("tables", name, "searches"), "search", table.searches, configuration.searches)


def check_plan(plan: StudyPlan) -> None:
    """Check everything that the configuration names, and the runs of the study.

    Raises
    ------
    Violation
        The first thing that is wrong.
    """
    configuration = plan.configuration
    _check_datasets(("subset",), configuration.subset, plan)
    _check_stand_ins(plan)
    check_generated(configuration)
    _check_tabular(plan)
    _check_data(plan)
    check_shards(plan)
    _check_models(plan)
    check_own_baselines(configuration)
    for name, table in configuration.tables.items():
        _check_table(name, table, configuration)
    for name, table in plan.tables.items():
        _check_sources(name, table, plan)
    for name, grid in plan.tabular_grids.items():
        _check_tabular_grid(name, grid, configuration)
    for name, grid in plan.grids.items():
        _check_grid(name, grid, plan)
    check_own_functions(plan)
    _check_batches(plan)
    for name, table in plan.tables.items():
        check_baselines(name, table, plan)
        check_shown(name, table, plan)
        check_names(name, table, plan)
        check_metrics(name, table, plan)
        check_one_method(name, table, plan)
        check_tracked(name, table, plan)
        check_question(name, table, plan)
    for name in plan.searches:
        _check_search(name, plan)
    check_conditions(plan)
    check_used(configuration)
    check_places(plan)


def _check_stand_ins(plan: StudyPlan) -> None:
    for name, used in plan.configuration.stand_ins.items():
        _check_datasets(("stand_ins",), [name, used], plan)
        kind = plan.datasets[name].kind
        if plan.datasets[used].kind != kind or used == name:
            same = [other for other, entry in plan.datasets.items() if entry.kind == kind and other != name]
            raise Violation(
                ("stand_ins", name),
                f"{used!r} cannot be used instead of {name!r}, of kind {kind!r}; known: {', '.join(same)}",
            )


def _check_tabular(plan: StudyPlan) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, task in plan.configuration.tasks.items():
        key = ("tasks", name)
        _check_datasets((*key, "dataset"), [task.dataset], plan)
        refuse_families((*key, "dataset"), [task.dataset], plan.configuration.generated)
        dataset = plan.datasets[task.dataset]
        _check_known((*key, "sensitive"), f"attribute of {dataset.id}", [task.sensitive], dataset.attributes)
        _check_known((*key, "label"), f"label of {dataset.id}", [task.label], dataset.labels)
        twin = seen.setdefault((task.dataset, task.sensitive), name)
        if twin != name:
            raise Violation(key, f"task {twin!r} already has this dataset and attribute")
    methods: dict[str, str] = {}
    for name, method in plan.configuration.mitigations.items():
        twin = methods.setdefault(repr(sorted(method.job_settings().items())), name)
        if twin != name:
            raise Violation(("mitigations", name), f"has the settings of {twin!r}; one method has one id")


def _check_data(plan: StudyPlan) -> None:
    configuration = plan.configuration
    for name, annotation in configuration.annotations.items():
        _check_datasets(("annotations",), [name], plan)
        if annotation.encoder is not None and annotation.encoder.kind == "clip":
            published = [model for model, entry in configuration.models.items() if entry.published]
            key = ("annotations", name, "encoder", "model")
            _check_known(key, "model with published weights", [str(annotation.encoder.model)], published)
    for name, balance in configuration.balances.items():
        if balance.within is not None:
            _check_known(("balances", name, "within"), "condition", [balance.within], configuration.balances)
    for name in configuration.balances:
        _check_within(name, configuration)
    for name, stages in configuration.schedules.items():
        key = ("schedules", name)
        if name in configuration.balances:
            raise Violation(key, f"{name!r} is a condition in balances; choose another id")
        _check_known(key, "condition", [balance for balance, _ in stages], configuration.balances)


def _check_within(name: str, configuration: Configuration) -> None:
    chain = [name]
    while (within := configuration.balances[chain[-1]].within) is not None:
        if within in chain:
            raise Violation(("balances", name, "within"), f"{' within '.join([*chain, within])}: a circle")
        chain.append(within)


def _check_models(plan: StudyPlan) -> None:
    configuration = plan.configuration
    for name, model in configuration.models.items():
        if isinstance(model.weights, LocalWeights) and not Path(model.weights.file).is_file():
            raise Violation(
                ("models", name, "weights", "file"), f"{model.weights.file}: no such file; correct its path"
            )
        check_words(name, model)
        tower = model.published.tower if model.published else None
        if tower is not None:
            published = [other for other, entry in configuration.models.items() if entry.published]
            key = ("models", name, "weights", "tower")
            _check_known(key, "model with published weights", [tower], published)
    for name, evaluation in configuration.evaluations.items():
        _check_datasets(("evaluations", name, "dataset"), [evaluation.dataset], plan)
        check_evaluation(name, plan)


def _check_table(name: str, table: Table, configuration: Configuration) -> None:
    key = ("tables", name)
    builders, figures = _table_modules(name.split("/")[0])
    _check_known((*key, "builder"), "builder", [table.builder], builders)
    if table.figure is not None:
        _check_known((*key, "figure"), "figure", [table.figure], figures)
    # A table that the study does not build keeps its roles.
    rows = [row for row in table.rows or () if not row.startswith(ROLE)]
    _check_known((*key, "rows"), "method", rows, configuration.methods)
    _check_known((*key, "names"), "method", table.names, configuration.methods)
    _check_known((*key, "balances"), "balance", table.balances, configuration.balances)
    check_settings(name, table)


def _check_sources(name: str, table: Table, plan: StudyPlan) -> None:
    """Check the sources of a table of the study, with its roles resolved."""
    key = ("tables", name)
    _check_known((*key, "annotations"), "annotation", table.annotations, plan.configuration.annotations)
    _check_datasets((*key, "datasets"), table.datasets, plan)
    refuse_families((*key, "annotations"), table.annotations, plan.configuration.generated)
    if table.published is not None:
        _check_known((*key, "published"), "published table", [table.published], plan.published)
        check_published(table.published, plan)
    if len({type(plan.configuration.grids[grid]) for grid in table.grids}) > 1:
        raise Violation((*key, "grids"), "mixes grids of trained models and of mitigations; make two tables")
    check_named(name, table, plan)


def _check_tabular_grid(name: str, grid: TabularGrid, configuration: Configuration) -> None:
    key = ("grids", name)
    _check_known((*key, "classifier"), "classifier", [grid.classifier], configuration.classifiers)
    _check_known((*key, "tasks"), "task", grid.tasks, configuration.tasks)
    _check_known((*key, "mitigations"), "mitigation", grid.mitigations, configuration.mitigations)


def _check_grid(name: str, grid: Grid, plan: StudyPlan) -> None:
    configuration, key = plan.configuration, ("grids", name)
    if grid.dataset != NONE:
        _check_datasets((*key, "dataset"), [grid.dataset], plan)
    _check_known((*key, "recipe"), "recipe", [grid.recipe], configuration.recipes)
    catalogues = {
        "balances": {NONE, *configuration.balances, *configuration.schedules},
        "models": configuration.models,
        "methods": configuration.methods,
        "evaluations": configuration.evaluations,
    }
    for entry, known in catalogues.items():
        _check_known((*key, entry), entry.removesuffix("s"), getattr(grid, entry), known)
    for attr in grid.attrs:
        if not ATTR.fullmatch(attr):
            raise Violation((*key, "attrs"), f"{attr!r} makes no path; expected letters, digits, '_' and '-'")
    check_trained_data(name, grid, plan)
    recipe = configuration.recipes[grid.recipe]
    for batch in grid.batches:
        _check_start(name, batch, plan)
        method = configuration.methods[batch.method]
        if isinstance(method, FinetuneMethod):
            _check_fairness(key, method, batch, recipe)
        elif method.kind != "zero_shot" and recipe.fine_tunes != (method.kind == "blip2"):
            raise Violation((*key, "recipe"), f"{grid.recipe!r} is no recipe for method {batch.method!r}")


def _check_start(name: str, batch: Run, plan: StudyPlan) -> None:
    """Check that the study trains the runs that the runs of a grid start from, with their seeds."""
    for seed in plan.grids[name].seeds:
        start = plan.start_of(replace(batch, seed=seed))
        if start is None:
            return
        of_start = replace(start, seed=0)
        if of_start not in plan.batches:
            raise Violation(
                ("models", batch.model, "weights", "run"),
                f"study {plan.study!r} has no run {start.key}; add a table whose grid trains it",
            )
        if start.seed not in plan.seeds_of(of_start):
            grids = [other for other, grid in plan.grids.items() if of_start in grid.batches]
            raise Violation(
                ("grids", name, "seeds"),
                f"no run {start.key}, from which {batch.model!r} starts with seed {seed}; add seed "
                f"{start.seed} to a grid that trains it ({', '.join(grids)})",
            )


def _check_batches(plan: StudyPlan) -> None:
    """One path is one result: grids share a run only if they make it alike."""
    for batch, grids in plan.batches.items():
        recipes = sorted({grid.recipe for grid in grids})
        if len(recipes) > 1:
            raise Violation(
                ("grids",),
                f"{batch.batch} is trained by two recipes ({', '.join(recipes)}); give its grids one",
            )
    seen: dict[Run, str] = {}
    for name, grid in plan.tabular_grids.items():
        for batch in plan.tabular_batches(name):
            twin = seen.setdefault(batch, name)
            other = plan.tabular_grids[twin]
            if (other.seeds, other.test_share) != (grid.seeds, grid.test_share):
                raise Violation(
                    ("grids", name),
                    f"repeats {batch.batch} with other seeds or another test_share than grid {twin!r}; "
                    "give both the same",
                )


def _check_search(name: str, plan: StudyPlan) -> None:
    configuration, key = plan.configuration, ("searches", name)
    search = plan.searches[name]
    _check_datasets((*key, "dataset"), [search.dataset], plan)
    catalogues = {
        "model": configuration.models,
        "method": configuration.methods,
        "recipe": configuration.recipes,
    }
    for level, known in catalogues.items():
        _check_known((*key, level), level, [getattr(search, level)], known)
    method = configuration.methods[search.method]
    if not isinstance(method, FinetuneMethod):
        raise Violation(
            (*key, "method"), f"{search.method!r} does not fine-tune; a search needs one that does"
        )
    recipe = configuration.recipes[search.recipe]
    _check_fairness(key, method, search.run, recipe)
    known = [f"recipe.{setting}" for setting in recipe.job_settings()]
    known += ["fairness.lam", *(f"method.settings.{switch}" for switch in method.job_settings())]
    _check_known((*key, "space"), "setting of a training", search.space, known)


def _check_fairness(key: tuple, method: FinetuneMethod, run: Run, recipe: Recipe) -> None:
    try:
        fairness_of(method, run, recipe)
    except Violation as violation:
        # A grid lists attributes, a search has one.
        wrong = violation.key[0] if key[0] == "grids" else violation.key[0].removesuffix("s")
        raise Violation((*key, wrong), violation.message) from None


@cache
def _table_modules(paper: str) -> tuple[list[str], list[str]]:
    """The builders of a paper's tables, and what draws them (the modules ``<name>_figure``)."""
    modules = sorted(SOURCE.joinpath("tables", paper).glob("*.py"))
    builders = [path.stem for path in modules if "\ndef build(" in path.read_text(encoding="utf-8")]
    figures = [path.stem.removesuffix("_figure") for path in modules if path.stem.endswith("_figure")]
    return builders, figures


def _check_datasets(key: tuple, names: Iterable[str], plan: StudyPlan) -> None:
    for name in names:
        if name not in plan.datasets:
            raise Violation(key, unknown("dataset", name, plan.listed_datasets))


def _check_known(key: tuple, what: str, values: Iterable[str], known: Iterable[str]) -> None:
    for value in values:
        if value not in known:
            raise Violation(key, unknown(what, value, known))
