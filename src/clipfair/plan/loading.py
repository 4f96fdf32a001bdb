"""From the configuration to the plan of its study; everything is checked before a job is planned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from clipfair.core import paths
from clipfair.core.catalogue import Dataset, Expected, load_catalogue
from clipfair.core.errors import UserError, unknown
from clipfair.core.provenance import settings_digest
from clipfair.core.settings import Key, Violation, parse, spell
from clipfair.plan.checks import check_plan, check_tables
from clipfair.plan.configuration.data import GeneratedDataset
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid, Table, TabularGrid
from clipfair.plan.configuration.types import ROLE
from clipfair.plan.configuration_files import (
    ABSENT,
    COMMAND_LINE,
    configuration_files,
    file_of,
    read_configuration,
    value_at,
)
from clipfair.plan.draws import with_draws
from clipfair.plan.numbers import read_numbers
from clipfair.plan.published import read_published_tables
from clipfair.plan.resolve import MERGED, resolve
from clipfair.plan.study_plan import StudyPlan


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
        return _make_plan(config)
    except Violation as violation:
        raise UserError(_message(violation, config, files)) from None


def _make_plan(config: Mapping) -> StudyPlan:
    configuration = with_draws(parse(Configuration, resolve(read_numbers(config))))
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


def _message(violation: Violation, config: Mapping, files: Sequence[str | Path]) -> str:
    """``config/tables/m4.yaml: grids.table5.seeds: ...``, with the file and entry that set the value."""
    key = _origin(violation.key, config)
    offending = (*key, *violation.offending[len(violation.key) :])
    value = value_at(config, offending)
    file = file_of(offending, value, files) if files else ""
    place = ": ".join(filter(None, [_relative(file), spell(key)]))
    note = _text_note(value) if file == COMMAND_LINE and len(key) > 1 else _role_note(key, config)
    return f"{place}: {violation.message}{note}"


def _origin(key: Key, config: Mapping) -> Key:
    """The key that sets a value: of the study's own grid, or of the entry that an entry is like."""
    if len(key) < 3:
        return key
    catalogue, name, *rest = key
    own = ("studies", _study_with_grids(config), "grids")
    for place in ((*own, name), (catalogue, name)) if catalogue == "grids" else ((catalogue, name),):
        entry = value_at(config, place)
        if isinstance(entry, Mapping):
            if rest[0] in entry and not _is_taken_over(rest, entry):
                return (*place, *rest)
            if "like" in entry and rest[0] != "like":
                return _origin((catalogue, entry["like"], *rest), config)
    return key


def _is_taken_over(rest: Sequence, entry: Mapping) -> bool:
    """Whether a key of an entry's settings is that of the entry that it is like."""
    own = entry[rest[0]]
    return rest[0] == MERGED and "like" in entry and len(rest) > 1 and value_at(own, rest[1:2]) is ABSENT


def _study_with_grids(config: Mapping) -> object:
    """The study whose grids the chosen one has: itself, or one that it is like."""
    name = config.get("study")
    for _ in config.get("studies", {}):  # no chain is longer
        study = value_at(config, ("studies", name))
        if not isinstance(study, Mapping) or "grids" in study or "like" not in study:
            break
        name = study["like"]
    return name


def _text_note(value: object) -> str:
    """Snakemake takes every value within a mapping or a list on its command line for text."""
    is_text = isinstance(value, str) and not isinstance(yaml.safe_load(value), str)
    return (
        "; in a mapping or a list --config gives text: write it into a file for --configfile"
        if is_text
        else ""
    )


def _role_note(key: Key, config: Mapping) -> str:
    """From which role a value comes, if the entry names one."""
    written = value_at(config, key)
    items = written if isinstance(written, list) else [written]
    roles = [item for item in items if isinstance(item, str) and item.startswith(ROLE)]
    if not roles:
        return ""
    return f" ({', '.join(roles)}: see studies.{config.get('study')}.roles)"


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else file
