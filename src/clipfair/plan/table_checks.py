"""Checks of tables: their settings, and a place in a table for everything that is trained or evaluated."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from clipfair.core import paths
from clipfair.core.errors import UserError, unknown
from clipfair.core.settings import Key, Violation, parse
from clipfair.plan.baselines import baselines_of
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.published import MAPPING, published_file
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.table_settings import TABLE_SETTINGS, NoSettings

# Settings that name evaluations, grids and conditions.
EVALUATIONS, GRIDS, CONDITIONS = (
    ("shown", "evaluation", "validation"),
    ("clip", "grids", "biased", "control"),
    ("intervention", "without", "with", "conditions"),
)
# Tables that average over the evaluations of their grids, or compare given conditions.
AVERAGES = ("findings", "known_answers")
COMPARED = ("baseline", "balanced", "proxies")


def check_settings(name: str, table: Table) -> None:
    """Check the settings of a table against the model of its builder.

    Raises
    ------
    Violation
        If there is an unknown setting, one is missing, or a value is wrong.
    """
    model = TABLE_SETTINGS.get(f"{name.split('/')[0]}.{table.builder}", NoSettings)
    key = ("tables", name, "settings")
    try:
        parse(model, table.settings)
    except Violation as violation:
        raise Violation(
            (*key, *violation.key), violation.message, offending=(*key, *violation.offending)
        ) from None


def check_named(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that the ids in the settings of a table of the study are in its grids, or exist.

    Raises
    ------
    Violation
        The first name that is unknown.
    """
    configuration, key = plan.configuration, ("tables", name, "settings")
    known = {
        **dict.fromkeys(EVALUATIONS, ("evaluation", configuration.evaluations)),
        **dict.fromkeys(GRIDS, ("grid of this table", table.grids)),
        **dict.fromkeys(CONDITIONS, ("condition", {*configuration.balances, *configuration.schedules})),
        "base": ("method", configuration.methods),
        "human_shares": ("condition", configuration.balances),
    }
    for at, values in _named(table.settings, known, key):
        what, names = known[at[-1]]
        for value in values:
            if value not in names:
                raise Violation(at, unknown(what, value, names))
    for grid in table.settings.get("biased", ()):
        dataset = plan.grids[grid].dataset
        entry = configuration.generated.get(dataset)
        if dataset in plan.datasets and (entry is None or entry.part != "web"):
            raise Violation((*key, "biased"), f"grid {grid!r} trains on {dataset!r}, not on synthetic pairs")
    for at, value in _leaves(table.settings.get("roles", {}), (*key, "roles")):
        if value not in configuration.methods:
            raise Violation(at, unknown("method", value, configuration.methods))


def check_shown(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that the grids of a table have the methods, conditions and evaluations that it names.

    Raises
    ------
    Violation
        The first that no grid of the table has: its part of the table would be empty.
    """
    grids = [plan.grids[grid] for grid in table.grids if grid in plan.grids]
    key = ("tables", name)
    shown = [((*key, "rows"), "methods", table.rows or [])]
    for names, level in ((CONDITIONS, "balances"), (EVALUATIONS, "evaluations")):
        shown += [
            (at, level, values) for at, values in _named(table.settings, names, (*key, "settings")) if grids
        ]
    for at, level, values in shown:
        known = dict.fromkeys(one for grid in grids for one in getattr(grid, level))
        for value in values:
            if value not in known:
                raise Violation(
                    at,
                    f"no grid of this table ({', '.join(table.grids)}) has {value!r} in {level}; "
                    f"add it to one; known: {', '.join(known) or 'none'}",
                )


def check_names(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that a table prints no two methods under one name.

    Raises
    ------
    Violation
        The second method of that name.
    """
    methods = [method for grid in table.grids if grid in plan.grids for method in plan.grids[grid].methods]
    seen: dict[str, str] = {}
    for method in dict.fromkeys(methods if table.rows is None else table.rows):
        printed = printed_name(method, table, plan.configuration)
        twin = seen.setdefault(printed, method)
        if twin != method:
            key = ("tables", name, "names", method) if method in table.names else ("methods", method, "name")
            message = f"{printed!r} is the name of {twin!r}, too, which is in table {name}; choose another"
            raise Violation(key, message)


def printed_name(method: str, table: Table, configuration: Configuration) -> str:
    """The name of a method in a table: that of the table, otherwise that of the method, otherwise its id."""
    return table.names.get(method) or configuration.methods[method].name or method


def _named(value: object, keys: Iterable[str], key: Key) -> Iterator[tuple[Key, list[str]]]:
    """Each setting with one of the names ``keys``, at any depth, with its path and the ids that it holds."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in keys:
                yield (*key, name), [item] if isinstance(item, str) else list(item)
            else:
                yield from _named(item, keys, (*key, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _named(item, keys, (*key, place))


def _leaves(value: object, key: Key) -> Iterator[tuple[Key, str]]:
    if not isinstance(value, Mapping):
        yield key, str(value)
        return
    for name, item in value.items():
        yield from _leaves(item, (*key, name))


def check_used(configuration: Configuration) -> None:
    """Check that a table reads every grid and search.

    Raises
    ------
    Violation
        The first entry that nothing uses.
    """
    tables = configuration.tables.values()
    used = {
        "grids": (configuration.grids, {name for table in tables for name in table.grids}),
        "searches": (configuration.searches, {name for table in tables for name in table.searches}),
    }
    for catalogue, (entries, names) in used.items():
        for name in entries:
            if name not in names:
                raise Violation(
                    (catalogue, name), f"no table reads it; name it in {catalogue} of a table, or remove it"
                )


def check_places(plan: StudyPlan) -> None:
    """Check that each method, condition and evaluation of a grid is in a table that reads the grid.

    Tables that this study does not build count, too: a study may build a part of what its grids are for.

    Raises
    ------
    Violation
        The first that is not, and where it can be named.
    """
    tables = {**plan.configuration.tables, **plan.tables}
    named = {one for table in tables.values() for one in evaluations_named(table, plan)}
    for name, table in plan.tables.items():
        _check_human_shares(name, table, plan)
    for name, grid in plan.grids.items():
        readers = {table: entry for table, entry in tables.items() if name in entry.grids}
        entries = list(readers.values())
        places = {
            "methods": ("rows", {one for table in entries for one in _methods_of(table, grid, plan)}),
            "balances": (
                "settings.conditions",
                {one for table in entries for one in _conditions_of(table, grid, plan)},
            ),
            "evaluations": (
                "settings.shown or settings.evaluation",
                {one for table in entries for one in _evaluations_of(table, grid, plan, named)},
            ),
        }
        for level, (setting, shown) in places.items():
            for value in getattr(grid, level):
                if value not in shown:
                    raise Violation(
                        ("grids", name, level),
                        f"{value!r} of grid {name!r} is in none of the tables that read it "
                        f"({', '.join(readers)}); name it in {setting} of one",
                    )


def _check_human_shares(name: str, table: Table, plan: StudyPlan) -> None:
    shares = table.settings.get("human_shares")
    if shares is None:
        return
    for grid in table.grids:
        for balance in plan.grids[grid].balances:
            if balance not in shares:
                raise Violation(
                    ("tables", name, "settings", "human_shares"),
                    f"no share of human examples of condition {balance!r} of grid {grid!r}; add one",
                )


def _methods_of(table: Table, grid: Grid, plan: StudyPlan) -> Iterable[str]:
    if "roles" in table.settings:
        baselines = baselines_of(table, plan.configuration).values()
        return [*baselines, *(method for _, method in _leaves(table.settings["roles"], ()))]
    return grid.methods if table.rows is None else table.rows


def _conditions_of(table: Table, grid: Grid, plan: StudyPlan) -> Iterable[str]:
    chosen = table.settings.get("human_shares", table.settings.get("conditions"))
    if chosen is not None:
        return chosen
    if table.builder == "trained_conditions" and table.published in plan.published:
        return plan.published[table.published].rows
    schedules = plan.configuration.schedules
    if table.builder in AVERAGES and "roles" not in table.settings:
        siglip = table.settings.get("siglip", {})
        return [*COMPARED, *schedules, siglip.get("without"), siglip.get("with")]
    shows_schedules = ("learning_dynamics", "question", "differences")
    return grid.balances if table.builder in shows_schedules else set(grid.balances) - set(schedules)


def evaluations_named(table: Table, plan: StudyPlan) -> set[str]:
    """The evaluations that the settings of a table name, or its published table; none if it shows all."""
    named = {one for _, values in _named(table.settings, EVALUATIONS, ()) for one in values}
    if table.builder == "trained_conditions" and table.published in plan.published:
        named.update(plan.published[table.published].datasets)
    return named


def _evaluations_of(table: Table, grid: Grid, plan: StudyPlan, named: set[str]) -> Iterable[str]:
    own = evaluations_named(table, plan)
    if own or table.builder == "distance_vs_metrics":
        return own
    return named if table.builder in AVERAGES else grid.evaluations


# --- published tables ---


def check_published(table: str, plan: StudyPlan) -> None:
    """Check the places of our entries in a published table.

    Raises
    ------
    UserError
        If an entry of the configuration, or a place in the table, does not exist.
    """
    places, configuration = plan.published[table], plan.configuration
    of_rows = {**configuration.methods, **configuration.mitigations, **configuration.balances}
    ours = {
        "rows": of_rows,
        "variants": of_rows,
        "datasets": {**configuration.evaluations, **configuration.tasks},
    }
    columns = {"rows": "row", "variants": "row", "datasets": "dataset", "metrics": "metric"}
    for key, column in columns.items():
        theirs = _published_values(published_file(table), table.split("/")[1], column)
        for name, place in getattr(places, key).items():
            if key in ours and name not in ours[key]:
                raise UserError(f"{MAPPING}: {table}.{key}: {unknown('entry', name, ours[key])}")
            if "{" not in place and place not in theirs:
                raise UserError(f"{MAPPING}: {table}.{key}.{name}: {unknown(column, place, theirs)}")


@cache
def _published_values(file: str, table: str, column: str) -> frozenset[str]:
    with (paths.ROOT / file).open(encoding="utf-8", newline="") as stream:
        return frozenset(row[column] for row in csv.DictReader(stream) if row["table"] == table)
