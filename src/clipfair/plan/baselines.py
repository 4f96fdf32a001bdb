"""Baselines: a method may be compared only with the same training without its treatment of groups."""

from collections.abc import Collection, Iterator

from clipfair.core.errors import unknown
from clipfair.core.paths import Run
from clipfair.core.settings import Key, Violation, spell
from clipfair.plan.configuration.methods import FinetuneMethod
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.configuration.types import NONE
from clipfair.plan.study_plan import StudyPlan

# Switches that say what the fairness loss is.
LOSS = frozenset(
    {
        "distance",
        "score",
        "conditional",
        "groups",
        "normalise",
        "weights",
        "group_reduction",
        "divide_by_attributes",
        "overwritten",
        "nan_to_zero",
        "mismatched_pairs",
        "drop_last_groups",
    }
)
# Each is what a method without a fairness loss does about groups. All others say how a model is trained.
CONTROLS = frozenset({"example_weights", "sampler", "dro_step"})


def baselines_of(table: Table, configuration: Configuration) -> dict[str, str]:
    """The baseline of each method that a table compares with one: the table's, else the method's own.

    A table compares its rows, or the methods that have a role in its findings. Where nothing gives an order,
    methods with several λ come first, then the others with a fairness loss, then controls.
    """
    grids = [configuration.grids.get(name) for name in table.grids]
    trained: dict[str, set[str]] = {}
    for grid in grids:
        for method in grid.methods if isinstance(grid, Grid) else ():
            trained.setdefault(method, set()).update(grid.lams)
    found = {}
    for method in _compared(table, trained):
        entry = configuration.methods.get(method)
        own = entry.baseline if isinstance(entry, FinetuneMethod) else None
        if (baseline := table.baselines.get(method, own)) is not None:
            found[method] = baseline
    order = {method: (not _has_loss(method, configuration), len(trained[method]) == 1) for method in found}
    return {method: found[method] for method in sorted(found, key=order.__getitem__)}


def _compared(table: Table, trained: Collection[str]) -> list[str]:
    roles = table.settings.get("roles")
    if roles is not None:
        # The role `selection` is a mapping.
        chosen = [method for method in roles.values() if isinstance(method, str)]
    else:
        chosen = trained if table.rows is None else table.rows
    return [method for method in dict.fromkeys(chosen) if method in trained]


def _has_loss(method: str, configuration: Configuration) -> bool:
    entry = configuration.methods.get(method)
    return isinstance(entry, FinetuneMethod) and entry.switches.distance is not None


def check_own_baselines(configuration: Configuration) -> None:
    """Check that the baseline of each method is a method that fine-tunes.

    Raises
    ------
    Violation
        The first that is not.
    """
    for name, method in configuration.methods.items():
        if isinstance(method, FinetuneMethod) and method.baseline is not None:
            _check_fine_tunes(("methods", name, "baseline"), method.baseline, configuration)


def check_baselines(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that each baseline of a table differs from its method in the fairness loss or one control alone.

    Compared are all switches, and of the runs in the table's grids dataset, condition, model, recipe and
    seeds. ``baseline_exceptions`` of the table declares further switches that may differ.

    Raises
    ------
    Violation
        If a baseline differs in something else, or is not among the runs of the table.
    """
    given = {method: baseline for method, baseline in table.baselines.items() if baseline is not None}
    for method, baseline in {**baselines_of(table, plan.configuration), **given}.items():
        key = ("tables", name, "baselines", method)
        for entry in (method, baseline):
            _check_fine_tunes(key, entry, plan.configuration)
        try:
            _check_switches(key, method, baseline, set(table.baseline_exceptions.get(method, ())), plan)
            for grid, batch in _batches_of(table, method, plan):
                _check_run(key, grid, batch, baseline, table, plan)
        except Violation as violation:
            if method in given:
                raise
            own = ("methods", method, "baseline")
            raise Violation(
                own, f"{violation.message}; or give {method!r} another or null in {spell(key[:3])}"
            ) from None


def _check_fine_tunes(key: Key, method: str, configuration: Configuration) -> None:
    known = [name for name, entry in configuration.methods.items() if isinstance(entry, FinetuneMethod)]
    if method not in known:
        raise Violation(key, unknown("method that fine-tunes", method, known))


def _check_switches(key: Key, method: str, baseline: str, allowed: set[str], plan: StudyPlan) -> None:
    own, other = (plan.configuration.methods[entry].job_settings() for entry in (method, baseline))
    if other["distance"] is not None:
        raise Violation(key, f"{baseline!r} has a fairness loss; a baseline has none, so name another")
    differing = sorted(switch for switch in own.keys() - LOSS - allowed if own[switch] != other[switch])
    is_control = own["distance"] is None and len(differing) == 1 and differing[0] in CONTROLS
    if differing and not is_control:
        raise Violation(
            key,
            f"{baseline!r} differs in more than the fairness loss ({', '.join(differing)}); name another "
            "baseline, or declare the switches in baseline_exceptions",
        )


def _check_run(key: Key, grid: Grid, batch: Run, baseline: str, table: Table, plan: StudyPlan) -> None:
    """Check that the table has the baseline of a batch: same data, model, recipe and seeds."""
    seeds: set[int] = set()
    for other, run in _batches_of(table, baseline, plan):
        is_paired = run.attr in (NONE, batch.attr) and _trained_on(run) == _trained_on(batch)
        if is_paired:
            if other.recipe != grid.recipe:
                raise Violation(
                    key,
                    f"{baseline!r} is trained by recipe {other.recipe!r}, {batch.batch} by {grid.recipe!r}; "
                    "name another baseline",
                )
            seeds |= set(other.seeds)
    missing = sorted(set(grid.seeds) - seeds)
    if missing:
        listed = ", ".join(map(str, missing))
        raise Violation(
            key, f"no run of {baseline!r} for {batch.batch}, seeds {listed}; add its grid to the table"
        )


def _trained_on(run: Run) -> tuple[str, str, str]:
    return run.dataset, run.balance, run.model


def _batches_of(table: Table, method: str, plan: StudyPlan) -> Iterator[tuple[Grid, Run]]:
    """Yield the batches of a method in the table's grids, each with its grid."""
    for name in table.grids:
        grid = plan.grids[name]
        yield from ((grid, batch) for batch in grid.batches if batch.method == method)
