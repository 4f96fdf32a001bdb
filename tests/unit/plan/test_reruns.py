"""What reruns what: the parameters of all jobs of a study, before and after an extension or an edit of code.

Snakemake reruns a job if its parameters changed. They are what the functions in workflow/inputs return,
which are executed here as they are; the package's code is a copy that the tests may edit.
"""

import shutil
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from clipfair.core import code_digest, functions, paths
from clipfair.core.paths import ROOT, Run
from clipfair.plan import own_code
from clipfair.plan.training_jobs import make_training_job, training_job

INPUTS = [
    compile(path.read_text("utf-8"), str(path), "exec") for path in sorted(ROOT.glob("workflow/inputs/*.smk"))
]


def parameters(plan):
    """Job -> its parameters, as the rules ask for them."""
    names = {"PLAN": plan, "ROOT": ROOT, "paths": paths}
    for code in INPUTS:
        exec(code, names)
    found = {}

    def record(phase, wildcards, *asked):
        levels = SimpleNamespace(**wildcards)
        found[phase, *wildcards.values()] = [names[f"get_{name}"](levels) for name in asked]

    for batch in plan.batches:
        record("evaluate", asdict(batch), "evaluations", "evaluation_code", "probes", "evaluated_parts")
        for run in filter(plan.is_trained, plan.runs_of(batch)):
            record("train", asdict(run), "train_settings", "train_code")
    for grid in plan.tabular_grids:
        for batch in plan.tabular_batches(grid):
            record("tabular", asdict(batch), "mitigation_settings", "mitigation_code")
    for search in plan.searches:
        record("search", {"search": search}, "search_settings", "search_code")
    for dataset in sorted({batch.dataset for batch in plan.batches}):
        record("prepare", {"dataset": dataset}, "source", "loader_settings", "loader_code")
    for dataset, balance in {(batch.dataset, batch.balance) for batch in plan.batches}:
        if balance in plan.configuration.balances:
            record("balance", {"dataset": dataset, "balance": balance}, "balance")
            record("annotate", {"dataset": dataset}, "annotation", "annotator_code", "annotation_code")
    for table in plan.tables:
        paper, name = table.split("/")
        record("table", {"paper": paper, "table": name}, "table_settings", "records", "builder_code")
    return found


@pytest.fixture(scope="module")
def before(plan_of):
    return parameters(plan_of())


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of the package's code, from which digests are computed."""
    copy = tmp_path / "clipfair"
    shutil.copytree(functions.SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (code_digest, functions, own_code):
        monkeypatch.setattr(module, "SOURCE", copy)
    code_digest._read_module.cache_clear()
    yield copy
    code_digest._read_module.cache_clear()


def changed(before, after):
    assert set(before) == set(after)
    return {job for job in before if before[job] != after[job]}


@pytest.mark.parametrize(
    "module",
    [
        "train/losses/mine",
        "train/example_weights/mine",
        "metrics/distances/mine",
        "data/datasets/mine",
        "train/kinds/mine",
        "evaluate/kinds/mine",
        "tabular/methods/mine",
        "annotate/encoders/mine",
        "tables/m4/mine",
    ],
)
def test_a_new_module_reruns_nothing(plan_of, before, source, module):
    (source / f"{module}.py").write_text("def loss():\n    return 1\n", encoding="utf-8")
    assert changed(before, parameters(plan_of())) == set()


@pytest.mark.parametrize(
    ("catalogue", "entry"),
    [
        ("methods", {"like": "a-fairclip", "distance": {"kind": "energy"}}),
        ("models", {"like": "small-24-r32", "width": 16}),
        ("recipes", {"like": "small", "learning_rate": 0.5}),
        ("balances", {"kind": "quality", "share": 0.5}),
        ("schedules", [["proxies", 0.5], ["baseline", 0.5]]),
        ("evaluations", {"like": "embedded-objects-zero-shot", "templates": ["a {}"]}),
        ("mitigations", {"kind": "rto", "gamma": 0.5}),
        ("generated", {"part": "web", "format": "cc12m", "seed": 7}),
        ("generated", {"part": "web", "format": "cc12m", "draws": 3}),
    ],
)
def test_an_entry_that_nothing_uses_reruns_nothing(plan_of, before, catalogue, entry):
    assert changed(before, parameters(plan_of(overlay={catalogue: {"mine": entry}}))) == set()


@pytest.mark.parametrize(
    ("module", "uses"),
    [
        ("train/losses/sigmoid", lambda method: method.get("loss") == "sigmoid"),
        (
            "metrics/distances/gaussian",
            lambda method: (method.get("distance") or {}).get("kind") == "gaussian",
        ),
    ],
)
def test_an_edit_of_a_loss_or_distance_reruns_the_trainings_that_use_it(
    plan_of, before, source, module, uses
):
    plan = plan_of()
    path = source / f"{module}.py"
    path.write_text(f"{path.read_text('utf-8')}\nEDITED = True\n", encoding="utf-8")
    trained = [run for batch in plan.batches if plan.is_trained(batch) for run in plan.runs_of(batch)]
    users = [run for run in trained if uses(training_job(plan, run).settings["method"]["settings"])]
    assert 0 < len(users) < len(trained) / 2
    found = changed(before, parameters(plan_of()))
    assert {job for job in found if job[0] == "train"} == {("train", *asdict(run).values()) for run in users}
    assert {job[0] for job in found} == {"train"}


@pytest.mark.parametrize(("method", "uses_m4"), [("clip-ft-m4", True), ("clip-ft-reweighed", False)])
def test_the_code_of_m4_is_that_of_trainings_with_its_weights_alone(plan_of, method, uses_m4):
    plan = plan_of()
    run = Run("embedded-fundus", "none", "small-baseline", method, "race", "0", 0)
    job = make_training_job(plan, run, plan.configuration.recipes["fundus-small"], "scratch")
    code = code_digest.code_closure("clipfair.train.run", *job.modules)
    assert ("clipfair.m4.exact" in code) == uses_m4


def test_an_edit_of_a_helper_reruns_what_calls_it(plan_of, before, source):
    path = source / "metrics/kernels.py"
    path.write_text(path.read_text("utf-8").replace(".median()", ".mean()"), encoding="utf-8")
    kernels = {"gaussian", "laplacian", "energy"}
    found = {job for job in changed(before, parameters(plan_of())) if job[0] == "train"}
    assert found
    plan = plan_of()
    for batch in filter(plan.is_trained, plan.batches):
        distance = training_job(plan, batch).settings["method"]["settings"].get("distance") or {}
        if distance.get("kind") in kernels:
            assert ("train", *asdict(plan.runs_of(batch)[0]).values()) in found
        elif plan.configuration.methods[batch.method].kind == "pretrain":
            assert ("train", *asdict(plan.runs_of(batch)[0]).values()) not in found
