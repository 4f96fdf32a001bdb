"""Every entry of the catalogues is used by a study, or named in docs/ as the way to get what it is."""

import re

import pytest

from clipfair.core.paths import ROOT
from clipfair.plan.configuration.types import NONE
from clipfair.plan.configuration_files import configuration_files, read_configuration
from clipfair.plan.loading import load_study
from clipfair.plan.resolve import CATALOGUES

FILES = read_configuration(configuration_files(ROOT))
DOCUMENTATION = "\n".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/*.md"))


def used_by(plan):
    """Catalogue -> ids that a study uses itself, not as templates of other entries."""
    configuration = plan.configuration
    tables, searches = plan.tables.values(), plan.searches.values()
    grids, tabular = plan.grids.values(), plan.tabular_grids.values()
    chosen = {balance for entry in (*tables, *grids) for balance in entry.balances} - {NONE}
    stages = {balance for name in chosen for balance, _ in plan.stages_of(name)}
    within = {configuration.balances[name].within for name in stages}
    annotated = {name for table in tables for name in table.annotations}
    annotated |= {grid.dataset for grid in grids if grid.balances != [NONE]}
    encoders = [configuration.annotations[name].encoder for name in annotated]
    models = {model for grid in grids for model in grid.models} | {one.model for one in searches}
    models |= {encoder.model for encoder in encoders if encoder}
    models |= {start.model for start in map(plan.start_of, plan.batches) if start}
    published = [configuration.models[name].published for name in models if name]
    evaluations = {name for grid in grids for name in grid.evaluations}
    datasets = {name for table in tables for name in table.datasets} | {grid.dataset for grid in grids}
    datasets |= {configuration.evaluations[name].dataset for name in evaluations}
    return {
        "generated": datasets | annotated | {search.dataset for search in searches},
        "annotations": annotated,
        "balances": stages | within,
        "schedules": chosen,
        "models": models | {weights.tower for weights in published if weights},
        "recipes": {entry.recipe for entry in (*grids, *searches)},
        "methods": {name for grid in grids for name in grid.methods} | {one.method for one in searches},
        "evaluations": evaluations,
        "tasks": {name for grid in tabular for name in grid.tasks},
        "classifiers": {grid.classifier for grid in tabular},
        "mitigations": {name for grid in tabular for name in grid.mitigations},
        "grids": {*plan.grids, *plan.tabular_grids},
        "searches": set(plan.searches),
        "tables": set(plan.tables),
    }


@pytest.fixture(scope="module")
def used():
    plans = [used_by(load_study(study)) for study in FILES["studies"]]
    return {catalogue: set().union(*(plan[catalogue] for plan in plans)) for catalogue in plans[0]}


@pytest.mark.parametrize("catalogue", [*CATALOGUES, "schedules"])
def test_an_entry_that_no_study_uses_is_named_in_the_documentation(catalogue, used):
    unused = [name for name in FILES[catalogue] if name not in used[catalogue]]
    assert [name for name in unused if not re.search(rf"`{re.escape(name)}`", DOCUMENTATION)] == []
