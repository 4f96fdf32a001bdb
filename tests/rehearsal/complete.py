"""Compare what a rehearsal made with all that its studies have: a rehearsal that left something out fails."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from clipfair.core.io import read_json
from clipfair.plan.data_needed import datasets_needed
from clipfair.plan.loading import load_study
from clipfair.plan.study_plan import StudyPlan
from tests.rehearsal.running import EVERYTHING, snakemake
from tests.repository import jobs_of

LEVEL = re.compile(r"(\w+)~([^/]+)")


def report(folder: Path, studies: Sequence[str]) -> int:
    """Print what was made of all that each study has; return 1 if anything is missing, else 0."""
    missing = 0
    for study in studies:
        plan = load_study(study)
        expected = expected_of(plan) | {"rules": _rules(folder, study)}
        made = made_in(folder, plan)
        print(f"\nrehearsal of the study {study}")
        missing += report_missing(expected, made)
    print(f"\n{missing} missing" if missing else "\ncomplete")
    return int(missing > 0)


def report_missing(expected: Mapping[str, Collection[str]], made: Mapping[str, Collection[str]]) -> int:
    """Print a line for each kind; return the number of names that are missing."""
    missing = 0
    for kind, names in expected.items():
        lacking = sorted(set(names) - set(made[kind]))
        missing += len(lacking)
        lack = f"; missing: {', '.join(lacking)}" if lacking else ""
        print(f"  {kind}: {len(names) - len(lacking)} of {len(names)}{lack}")
    return missing


def expected_of(plan: StudyPlan) -> dict[str, Collection[str]]:
    """Return all that a study has, by kind, whatever a rehearsal reduces."""
    grids, tables = plan.grids.values(), plan.tables
    tabular = [run for name in plan.tabular_grids for run in plan.tabular_batches(name)]
    evaluations = {name for grid in grids for name in grid.evaluations}
    return {
        "datasets": set(datasets_needed(plan)),
        "kinds of model": {plan.model_of(run).kind for run in plan.batches},
        "conditions": {run.balance for run in plan.batches},
        "methods": {run.method for run in plan.batches},
        "evaluations": evaluations,
        "kinds of evaluation": {plan.configuration.evaluations[name].kind for name in evaluations},
        "mitigations": {f"{run.dataset} {run.model} {run.method}" for run in tabular},
        "searches": set(plan.searches),
        "tables": set(tables),
        "figures": {name for name, table in tables.items() if table.figure},
        "compared tables": {name for name, table in tables.items() if table.published},
    }


def made_in(folder: Path, plan: StudyPlan) -> dict[str, set[str]]:
    """Return what a rehearsal made of a study, by kind; of evaluations those with a value."""
    study = plan.study
    tables = folder / "results/tables" / study
    measured = [read_json(path) for path in (folder / "results/evaluate" / study).rglob("metrics.json")]
    runs = [content["run"] for content in measured]
    valued = [content for content in measured if has_value(content)]
    tabular = [
        dict(LEVEL.findall(path.as_posix())) for path in (folder / "results/tabular" / study).rglob("*")
    ]
    return {
        "datasets": {path.parent.name for path in folder.glob("data/contents/*/*.json")},
        "kinds of model": {plan.configuration.models[run["model"]].kind for run in runs},
        "methods": {run["method"] for run in runs},
        "conditions": {run["balance"] for run in runs},
        "evaluations": {content["evaluation"] for content in valued},
        "kinds of evaluation": {content["kind"] for content in valued},
        "mitigations": {
            f"{run['dataset']} {run['model']} {run['method']}" for run in tabular if "method" in run
        },
        "searches": {path.parent.name for path in tables.glob("searches/*/trials.csv")},
        "tables": _named(tables, ".csv") & _named(tables, ".md"),
        "figures": _named(tables, ".svg") & _named(tables, ".png"),
        "compared tables": _named(tables, ".compare.csv"),
        # A rule has a folder, or files of its own.
        "rules": {path.name.split(".")[0] for path in (folder / "logs").iterdir()},
    }


def has_value(metrics: Mapping) -> bool:
    """Return whether any value of an evaluation is defined."""
    return any(row["value"] is not None for row in metrics["rows"])


def _named(tables: Path, suffix: str) -> set[str]:
    """Return <paper>/<table> of the files with a suffix."""
    found = (path for paper in ("m4", "fairclip") for path in (tables / paper).glob(f"*{suffix}"))
    return {f"{path.parent.name}/{path.name.removesuffix(suffix)}" for path in found}


def _rules(folder: Path, study: str) -> set[str]:
    """Return the rules that the study has jobs of, with its own sizes; without targets that name files."""
    options = ("--dry-run", "--forceall", "--quiet", "rules")
    plan = snakemake(folder, study, *options, targets=EVERYTHING, capture=True)
    return set(jobs_of(plan)) - set(EVERYTHING)
