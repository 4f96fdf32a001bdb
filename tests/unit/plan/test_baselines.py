"""A baseline differs from its method in the fairness loss alone; every comparison names one."""

import pytest

from clipfair.core.errors import UserError
from clipfair.plan.baselines import CONTROLS, LOSS, baselines_of
from clipfair.plan.configuration.methods import Switches

STUDIES = ["embedded", "embedded-full", "lab", "open", "paper"]
# A switch of training, and a value that differs from that of `clip-ft`.
OTHER = {
    "precision": "fp16_roundtrip",
    "saved": "fp16",
    "trained": "all",
    "logit_scale": "trained",
    "mode": "train",
    "generators": "shared",
    "accumulation": "last",
    "drop_last": True,
    "drop_last_validation": True,
    "selection": "last",
    "selection_scores": "dot",
}
# Their baselines are named elsewhere, or they compare with published values alone (docs/fairclip-methods.md).
WITHOUT = {"fairclip/switches", "fairclip/original-checkpoints"}


@pytest.mark.parametrize("study", STUDIES)
def test_every_method_with_a_fairness_loss_has_a_baseline_in_its_table(plan_of, study):
    plan = plan_of(study)
    methods = plan.configuration.methods
    for name, table in plan.tables.items():
        if not name.startswith("fairclip/") or not table.grids or name in WITHOUT:
            continue
        compared = _compared(table, plan)
        fair = {entry for entry in compared if methods[entry].job_settings().get("distance")}
        baselines = baselines_of(table, plan.configuration)
        assert fair <= baselines.keys(), name
        assert {baselines[entry] for entry in fair} <= set(_trained(table, plan)), name


def _compared(table, plan):
    """The methods of a table's rows, or of the roles of its findings."""
    roles = table.settings.get("roles")
    if roles is not None:
        return [method for role, method in roles.items() if role != "selection"]
    return [method for method in _trained(table, plan) if table.rows is None or method in table.rows]


def _trained(table, plan):
    return dict.fromkeys(method for grid in table.grids for method in plan.grids[grid].methods)


def test_a_table_takes_the_baseline_of_each_method_that_it_compares(plan_of):
    plan = plan_of("paper")
    of = {name: baselines_of(table, plan.configuration) for name, table in plan.tables.items()}
    assert of["fairclip/zero-shot"]["a-fairclip"] == "clip-ft-aligned"
    # Its own entry, as A-FairCLIP has the common recipe there.
    assert of["fairclip/lambda"] == {"fairclip-corrected": "clip-ft", "a-fairclip": "clip-ft-all"}
    # The rows, not all methods of the grids.
    assert of["fairclip/original-table3"] == {"fairclip-released": "clip-ft-released"}
    # The roles; an entry like another does not take over its baseline.
    assert "fairclip-released-fp32" not in of["fairclip/findings"]
    assert of["fairclip/findings"]["fairclip-plus"] == "clip-ft-all"
    # null: compared with another method of the table.
    assert of["fairclip/switches"] == {}


def test_methods_with_several_lambdas_come_first_and_controls_last(plan_of):
    plan = plan_of("questions")
    assert list(baselines_of(plan.tables["questions/q3"], plan.configuration)) == [
        "a-fairclip-w2",
        "a-fairclip-w2-placebo",
        "a-fairclip-margin-w2",
        "a-fairclip-margin-label-w2",
        "fairclip-released",
        "clip-ft-reweighed",
        "clip-ft-balanced",
        "clip-ft-m4",
        "clip-ft-dro",
    ]


def test_a_table_gives_a_baseline_only_where_it_differs(plan_of):
    plan = plan_of()
    methods = plan.configuration.methods
    same = [
        (name, method)
        for name, table in plan.configuration.tables.items()
        for method, baseline in table.baselines.items()
        if baseline == methods[method].baseline
    ]
    assert same == []


def test_every_switch_is_of_the_loss_a_control_or_of_the_training():
    assert LOSS | CONTROLS | OTHER.keys() == Switches.model_fields.keys()
    assert not (LOSS | CONTROLS) & OTHER.keys()
    assert not LOSS & CONTROLS


@pytest.mark.parametrize("switch", OTHER)
def test_a_baseline_that_is_trained_differently_is_refused(plan_of, switch):
    overlay = {"methods": {"clip-ft": {switch: OTHER[switch]}}}
    with pytest.raises(UserError, match=rf"'clip-ft' differs in more than the fairness loss \({switch}\)"):
        plan_of(overlay=overlay)


def test_a_declared_exception_is_allowed(plan_of):
    exception = {"baseline_exceptions": {"fairclip-corrected": ["saved"], "a-fairclip": ["saved"]}}
    overlay = {"methods": {"fairclip-corrected": {"saved": "fp16"}, "a-fairclip": {"saved": "fp16"}}}
    study = {"studies": {"embedded": {"tables": ["m4/table1", "fairclip/lambda"]}}}
    with pytest.raises(UserError, match="declare the switches in baseline_exceptions"):
        plan_of(overlay=overlay | study)
    plan_of(overlay=overlay | study | {"tables": {"fairclip/lambda": exception}})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"baselines": {"a-fairclip": "fairclip-corrected"}}, "'fairclip-corrected' has a fairness loss"),
        ({"baselines": {"a-fairclip": "zero-shot"}}, "unknown method that fine-tunes 'zero-shot'"),
        ({"baselines": {"a-fairclip": "clip-ft-al"}}, "(did you mean 'clip-ft-all'?); known: a-fairclip, "),
        ({"baselines": {"a-fairclp": "clip-ft-all"}}, "(did you mean 'a-fairclip'?); known: a-fairclip, "),
        ({"baselines": {"a-fairclip": "clip-ft"}}, "(logit_scale, trained)"),
        ({"grids": ["fair-clip", "fair-lambda"]}, "no run of 'clip-ft-all'"),
    ],
)
def test_a_baseline_of_another_kind_or_without_runs_is_refused(plan_of, table, message):
    with pytest.raises(UserError) as error:
        plan_of(overlay={"tables": {"fairclip/lambda": table}})
    assert message in str(error.value)


def test_a_baseline_of_a_method_itself_is_checked_in_each_table(plan_of):
    with pytest.raises(UserError) as error:
        plan_of(overlay={"methods": {"a-fairclip": {"baseline": "clip-ft-aligne"}}})
    assert str(error.value).startswith(
        "methods.a-fairclip.baseline: unknown method that fine-tunes 'clip-ft-aligne' "
        "(did you mean 'clip-ft-aligned'?); known: a-fairclip, "
    )
    with pytest.raises(UserError) as error:
        plan_of(overlay={"tables": {"fairclip/zero-shot": {"grids": ["fair-clip", "fair-aligned"]}}})
    message = str(error.value)
    assert message.startswith("methods.a-fairclip.baseline: no run of 'clip-ft-aligned' for ")
    assert message.endswith("or give 'a-fairclip' another or null in tables.fairclip/zero-shot.baselines")
    tables = {"grids": ["fair-clip", "fair-aligned"], "baselines": {"a-fairclip": None}}
    plan = plan_of(overlay={"tables": {"fairclip/zero-shot": tables}})
    assert baselines_of(plan.tables["fairclip/zero-shot"], plan.configuration) == {}


def test_a_baseline_of_another_recipe_is_refused(plan_of):
    """In the study `paper` A-FairCLIP has a learning rate of its own."""
    grids = ["fair-clip", "fair-all", "fair-aligned-base", "fair-aligned"]
    table = {"grids": grids, "baselines": {"a-fairclip": "clip-ft-all"}}
    with pytest.raises(UserError, match="'clip-ft-all' is trained by recipe 'fairvlmed'"):
        plan_of("paper", overlay={"tables": {"fairclip/lambda": table}})


# A study of positive controls and their baselines, all of one recipe.
CONTROLLED = {
    "grids": {
        "controls": {
            "like": "fair-clip",
            "attrs": ["race"],
            "lams": [0],
            "methods": ["clip-ft-reweighed", "clip-ft-m4", "clip-ft-balanced", "clip-ft-dro"],
        },
    },
    "studies": {"embedded": {"tables": ["m4/table1", "fairclip/lambda"]}},
}


def controlled(**table):
    grids = ["fair-clip", "fair-all", "fair-lambda", "controls"]
    return {**CONTROLLED, "tables": {"fairclip/lambda": {"grids": grids, "rows": None, **table}}}


def test_a_control_has_a_baseline_without_it(plan_of):
    baselines = dict.fromkeys(["clip-ft-reweighed", "clip-ft-m4", "clip-ft-balanced"], "clip-ft-all")
    plan = plan_of(overlay=controlled(baselines={**baselines, "clip-ft-dro": "clip-ft-balanced"}))
    methods = {batch.method: batch.attr for batch in plan.batches}
    assert methods["clip-ft-dro"] == "race"
    assert methods["clip-ft-all"] == "none"


@pytest.mark.parametrize(
    ("method", "baseline", "switches"),
    [
        ("clip-ft-dro", "clip-ft-all", "dro_step, sampler"),
        ("clip-ft-balanced", "clip-ft-m4", "example_weights, sampler"),
    ],
)
def test_a_baseline_that_differs_in_two_controls_is_refused(plan_of, method, baseline, switches):
    with pytest.raises(UserError, match=rf"\({switches}\)"):
        plan_of(overlay=controlled(baselines={method: baseline}))


def test_a_baseline_with_cells_of_another_attribute_is_refused(plan_of):
    overlay = controlled(baselines={"clip-ft-dro": "clip-ft-balanced"})
    of_gender = {"like": "controls", "attrs": ["gender"], "methods": ["clip-ft-balanced"]}
    overlay["grids"] = {**overlay["grids"], "other": of_gender}
    overlay["grids"]["controls"] = {**overlay["grids"]["controls"], "methods": ["clip-ft-dro"]}
    overlay["tables"]["fairclip/lambda"]["grids"] += ["other"]
    with pytest.raises(UserError, match="no run of 'clip-ft-balanced'"):
        plan_of(overlay=overlay)
