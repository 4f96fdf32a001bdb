"""The recipes of README.md: a line in each file that they name, in a copy of the repository's own files."""

import re
import shutil
from fnmatch import fnmatch

import pytest

from clipfair.core.paths import ROOT
from clipfair.plan.evaluation_jobs import evaluation_job
from clipfair.plan.loading import load_study

ROWS = dict(re.findall(r"^\| (an? [^|]*) \| ([^|]*) \|$", (ROOT / "README.md").read_text("utf-8"), re.M))
CONDITIONS, MODELS, METHODS, EVALUATIONS, TABULAR = (
    f"config/catalogue/{name}.yaml" for name in ("conditions", "models", "methods", "evaluations", "tabular")
)
FAIRCLIP, M4, EMBEDDED = (
    "config/tables/fairclip.yaml",
    "config/tables/m4.yaml",
    "config/studies/embedded.yaml",
)
ENTRIES = "a model, method, condition, evaluation"
METHOD = "{name: Mine, like: a-fairclip, distance: {kind: energy}, baseline: clip-ft-aligned}"
# What is added, how many runs, and the edits: a file, the beginning of a line, and what is put into the list
# or mapping of that line, or as a line of its own below it.
RECIPES = [
    ("a λ, a seed", "lam", "10", 3, [(FAIRCLIP, "    lams: [$swept-lams", ", 10")]),
    ("a λ, a seed", "seed", 7, 14, [(M4, "    seeds: [0, 1, 2]", ", 7")]),
    (
        ENTRIES,
        "model",
        "mine",
        9,
        [
            (MODELS, "models:", "  mine: {like: small-24-r32, width: 16}"),
            (M4, "  m4-neutralise: {", ", models: [$ablation-model, mine]"),
        ],
    ),
    (
        ENTRIES,
        "method",
        "mine",
        6,
        [
            (METHODS, "methods:", f"  mine: {METHOD}"),
            (FAIRCLIP, "    {like: fair-aligned-base, methods: [a-fairclip", ", mine"),
        ],
    ),
    (
        ENTRIES,
        "balance",
        "mine",
        6,
        [
            (CONDITIONS, "balances:", "  mine: {kind: quality, share: 0.5}"),
            (M4, "    balances: [baseline, balanced, proxies", ", mine"),
        ],
    ),
    (
        "a two-stage schedule",
        "balance",
        "mine",
        3,
        [
            (CONDITIONS, "schedules:", "  mine: [[proxies, 0.5], [baseline, 0.5]]"),
            (EMBEDDED, "      schedules: [", ", mine"),
        ],
    ),
    (
        "a row of Table 5",
        "method",
        "mine",
        2,
        [
            (TABULAR, "mitigations:", "  mine: {kind: rto, gamma: 0.5}"),
            (M4, "    mitigations: [baseline, reduction", ", mine"),
        ],
    ),
]


@pytest.fixture
def repository(tmp_path):
    """A copy of what a person edits: config.yaml and config/."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copy(ROOT / "config.yaml", tmp_path)
    return tmp_path


def edit(repository, row, file, beginning, added):
    """Add to one line of a file that a recipe names."""
    assert any(fnmatch(file, named) for named in re.findall(r"`([^`]*)`", ROWS[row])), file
    lines = (repository / file).read_text("utf-8").splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(beginning))
    if beginning.endswith(":"):
        lines.insert(place + 1, added)
    elif beginning.endswith("{"):
        start, _, end = lines[place].rpartition("}")
        lines[place] = f"{start}{added}}}{end}"
    else:
        bracket = lines[place].index("]", len(beginning) - 1)
        lines[place] = f"{lines[place][:bracket]}{added}{lines[place][bracket:]}"
    (repository / file).write_text("\n".join(lines) + "\n", "utf-8")


def runs_of(plan):
    trained = {run for batch in plan.batches for run in plan.runs_of(batch)}
    return trained | {batch for grid in plan.tabular_grids for batch in plan.tabular_batches(grid)}


BEFORE = runs_of(load_study())


@pytest.mark.parametrize(("row", "level", "value", "count", "edits"), RECIPES)
def test_a_recipe_adds_its_runs_and_nothing_else(repository, row, level, value, count, edits):
    for one in edits:
        edit(repository, row, *one)
    added = runs_of(load_study(root=repository)) - BEFORE
    assert len(added) == count
    assert {getattr(run, level) for run in added} == {value}


def test_an_evaluation_is_in_its_tables(repository):
    like = "  mine: {name: Mine, like: embedded-objects-zero-shot, templates: ['a {}']}"
    edit(repository, ENTRIES, EVALUATIONS, "evaluations:", like)
    edit(repository, ENTRIES, EMBEDDED, "      zero-shot: [", ", mine")
    plan = load_study(root=repository)
    assert runs_of(plan) == BEFORE
    assert any("mine" in evaluation_job(plan, batch).evaluations for batch in plan.batches)
    assert "mine" in plan.tables["m4/figure18"].settings["shown"]


def test_a_study_is_a_file(repository):
    assert "`config/studies/`" in ROWS["a study"]
    roles = (
        "{faces: fairface, face-model: small-faces, face-recipe: fairface-small, face-test: fairface-gender}"
    )
    text = f"studies: {{mine: {{roles: {roles}, tables: [fairclip/faces]}}}}\n"
    (repository / "config/studies/mine.yaml").write_text(text, "utf-8")
    plan = load_study("mine", root=repository)
    assert list(plan.tables) == ["fairclip/faces"]
    assert {batch.dataset for batch in plan.batches} == {"fairface"}
