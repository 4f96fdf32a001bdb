"""From the configuration to the plan of its study; everything is checked before a job is planned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clipfair.core import paths
from clipfair.core.catalogue import Dataset, Expected, load_catalogue
from clipfair.core.errors import UserError, unknown
from clipfair.core.provenance import settings_digest
from clipfair.core.settings import Violation, parse
from clipfair.plan.checks import check_plan, check_tables
from clipfair.plan.configuration.data import GeneratedDataset
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid, Table, TabularGrid
from clipfair.plan.configuration_files import configuration_files, read_configuration, read_file
from clipfair.plan.draws import with_draws
from clipfair.plan.numbers import read_numbers
from clipfair.plan.published import read_published_tables
from clipfair.plan.resolve import check_roles, resolve
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.violation_message import message_of


def load_study(study: str = "", *, root: Path = paths.ROOT, overlays: Sequence[Path] = ()) -> StudyPlan:
    """The plan of a study from a repository's files, and files that take precedence over them."""
    files = [*configuration_files(root), *overlays]
    config = read_configuration(files)
    return load_plan(config | ({"study": study} if study else {}), files)


def load_plan(config: Mapping, files: Sequence[str | Path] = ()) -> StudyPlan:
    """The plan of the study that ``config`` chooses.

    Parameters
    ----------
    config
        The merged files, and what was given on the command line.
    files
        Where ``config`` comes from, for messages; a later file takes precedence.

    Raises
    ------
    UserError
        One line: which file and key, what is wrong, which values are known.
    """
    try:
        return _make_plan(config, files)
    except Violation as violation:
        raise UserError(message_of(violation, config, files)) from None


def _make_plan(config: Mapping, files: Sequence[str | Path]) -> StudyPlan:
    resolved = resolve(read_numbers(config))
    if files:
        check_roles(config, [config, *map(read_file, files)])
    configuration = with_draws(parse(Configuration, resolved))
    datasets = with_generated(load_catalogue(paths.CATALOGUE), configuration.generated)
    published = read_published_tables()
    tables = _chosen_tables(configuration)
    grids = {name: configuration.grids[name] for table in tables.values() for name in table.grids}
    plan = StudyPlan(
        configuration=configuration,
        datasets=datasets,
        published=published,
        tables={name: _with_stand_ins(table, configuration.stand_ins) for name, table in tables.items()},
        grids={
            name: _with_stand_in(grid, configuration.stand_ins)
            for name, grid in grids.items()
            if isinstance(grid, Grid)
        },
        tabular_grids={name: grid for name, grid in grids.items() if isinstance(grid, TabularGrid)},
    )
    check_plan(plan)
    return plan


def _chosen_tables(configuration: Configuration) -> dict[str, Table]:
    check_tables(configuration)
    names = configuration.studies[configuration.study].tables
    return {name: configuration.tables[name] for name in names}


def _with_stand_in(grid: Grid, stand_ins: Mapping[str, str]) -> Grid:
    return grid.model_copy(update={"dataset": stand_ins.get(grid.dataset, grid.dataset)})


def _with_stand_ins(table: Table, stand_ins: Mapping[str, str]) -> Table:
    annotations = [stand_ins.get(name, name) for name in table.annotations]
    return table.model_copy(update={"annotations": annotations})


def with_generated(
    datasets: Mapping[str, Dataset], generated: Mapping[str, GeneratedDataset]
) -> dict[str, Dataset]:
    """The catalogue and, as entries like those of the formats they have, the synthetic datasets.

    Raises
    ------
    Violation
        If the format is unknown or the id taken.
    """
    made = {}
    for name, entry in generated.items():
        if entry.format not in datasets:
            raise Violation(("generated", name, "format"), unknown("dataset", entry.format, datasets))
        if name in datasets:
            message = f"{name!r} is a dataset of resources/datasets.yaml; choose another id"
            raise Violation(("generated", name), message)
        made[name] = replace(
            datasets[entry.format],
            id=name,
            title=f"synthetic world, {entry.part}",
            version=settings_digest({"part": entry.part, "seed": entry.seed, **entry.settings}),
            access="generated",
            how_to_get=None,
            archives=(),
            layouts=(),
            expected=Expected(),
            like=entry.format,
        )
    return {**datasets, **made}
