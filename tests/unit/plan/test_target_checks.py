"""Targets of a call: one that nothing makes is one line with the closest known targets."""

from pathlib import Path

import pytest

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.target_checks import check_targets

WEB = Run("embedded-web", "baseline", "small-32-r64", "clip")
TABLES = "results/tables/embedded"
RULES = ("all", "data", "m4", "fairclip", "fetch_dataset")


def check(plan, *targets, made=False, left_out=()):
    check_targets(plan, targets, left_out=left_out, rules=RULES, is_made=lambda target: made)


def test_rules_and_files_that_are_made_are_accepted(plan_of):
    plan = plan_of()
    [tabular, *_] = plan.tabular_batches("table5")
    files = [
        plan.path_of(template, WEB)
        for template in (paths.MODEL, paths.EPOCHS, paths.EVALUATE, paths.EVALUATE + paths.FOLDER_SPEC)
    ]
    check(plan, *RULES)
    check(plan, paths.TABLE5, *files, plan.path_of(paths.TABULAR, tabular), made=True)
    check(plan, "results/annotate/embedded/dataset~embedded-web/shard~00001.report.json", made=True)
    check(plan, plan.prepared_of("adult"), "data/raw/adult/uci-2", made=True)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("fairclp", "unknown target 'fairclp' (did you mean 'fairclip'?); known: all, data, m4, fairclip"),
        ("m4/table5", f"unknown target 'm4/table5' (did you mean '{TABLES}/m4/table5.md'?)"),
        ("m4/table55.md", f"unknown target 'm4/table55.md' (did you mean '{TABLES}/m4/table5.md' or "),
        (f"{TABLES}/m4/table5.mdd", f"(did you mean '{TABLES}/m4/table5.md' or "),
        (str(Path(paths.TABLE5).absolute()), "(did you mean 'results/table5.csv'?)"),
        ("fetch_datset", "unknown target 'fetch_datset' (did you mean 'fetch_dataset'?)"),
        ("results/tables/paper/m4/table5.md", "and this is study 'embedded'; add --config study=paper"),
        ("results/tables/papre/m4/table5.md", "unknown study 'papre' (did you mean 'paper'?)"),
        (f"{TABLES}/m4/conditions-fairface.md", "choose one that does (lab"),
        ("data/prepared/adlut/uci-2/table.parquet", "unknown dataset 'adlut' (did you mean 'adult'?)"),
        ("data/raw/adult/uci-3", "unknown version 'uci-3' (did you mean 'uci-2'?); known: uci-2"),
        ("README.md", "known: all, data, m4, fairclip, questions, and files of results"),
    ],
)  # fmt: skip
def test_a_target_that_nothing_makes_is_one_line(plan_of, target, message):
    assert message in message_of(plan_of(), target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("balance/embedded/dataset~embedded-web/balance~proxie/keep.parquet", "unknown condition 'proxie'"),
        ("balance/embedded/dataset~adult/balance~proxies/keep.parquet", "unknown dataset 'adult'"),
        (
            "annotate/embedded/dataset~embedded-web/shard~99999.parquet",
            "unknown shard '99999'; known: 00000,",
        ),
        ("annotate/embedded/dataset~embedded-web/captions.parquet", "unknown dataset 'embedded-web'"),
        ("search/embedded/fairclip-plus-small/part~9.json", "unknown part '9'; known: 0, 1"),
    ],
)
def test_an_id_in_a_target_that_does_not_exist_is_one_line(plan_of, target, message):
    # Each is of a form that a rule makes.
    assert message in message_of(plan_of(), f"results/{target}", made=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("method~clip", "method~siglip", "has no run "),
        ("method~clip", "method~clpi", "unknown method 'clpi' (did you mean 'clip'?)"),
        ("seed~0", "seed~7", "no grid of study 'embedded' has seed 7; known: 0, 1, 2"),
        ("seed~0", "seed~1.0", "no grid of study 'embedded' has seed 1.0; known: 0, 1, 2"),
    ],
)
def test_a_run_in_no_grid_is_one_line(plan_of, old, new, message):
    plan = plan_of()
    target = plan.path_of(paths.MODEL, WEB)
    assert old in target
    assert message in message_of(plan, target.replace(old, new), made=True)


def test_a_table_that_is_left_out_is_one_line(plan_of):
    # No rule of the rest of the study makes it.
    message = message_of(plan_of(), f"{TABLES}/m4/table5.md", left_out=["m4/table5"])
    assert message.startswith(f"{TABLES}/m4/table5.md: missing_data=leave_out leaves out this table")


def message_of(plan, target, **options):
    with pytest.raises(UserError) as error:
        check(plan, target, **options)
    assert "\n" not in str(error.value)
    return str(error.value)
