"""The selection of runs and values for the tables of CLIP the Bias, and its errors."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4.selection import (
    conditions,
    final,
    in_order,
    model_label,
    model_labels,
    of_grids,
    select_values,
    shown_evaluations,
)
from tests.unit.tables.m4.synthetic_records import SCHEDULES, grid, make_records, settings_of

GRIDS = {"one": grid(["baseline", "proxies"], ["s-384"]), "two": grid(SCHEDULES, ["s-384", "b16"], seeds=[0])}


def settings(**entry):
    return settings_of("figure2", GRIDS, **({"shown": {"rb": "ImageNet"}} | entry))


def test_conditions_are_balances_that_are_no_schedules_in_order():
    assert conditions(settings()) == ["baseline", "proxies"]
    assert conditions(settings(conditions=["proxies", "unknown", "baseline"])) == ["proxies", "baseline"]


def test_a_model_is_labelled_by_its_size_patch_and_representation():
    assert model_label("x", {"kind": "vit", "vision": "B/16", "dim": 768, "size": 224}) == "B/16, r=768"
    assert model_label("x", {"kind": "small", "width": 32, "dim": 64, "size": 32}) == "width 32, r=64"
    assert model_label("clip-l14", {"weights": None}) == "clip-l14"


def test_two_models_that_look_alike_keep_their_ids():
    alike = {name: {"kind": "small", "width": 8, "dim": 8} for name in ("wide", "deep")}
    assert model_labels({"models": alike}) == {"wide": "wide", "deep": "deep"}


def test_evaluations_that_were_left_out_are_not_shown():
    assert shown_evaluations(settings(shown={"gone": "COCO", "rb": "ImageNet"})) == {"rb": "ImageNet"}
    with pytest.raises(UserError, match=r"m4/figure2: none of its evaluations \(gone\) is in its grids"):
        shown_evaluations(settings(shown={"gone": "COCO"}))


def test_values_have_their_display_labels():
    frame = select_values(make_records(GRIDS), settings(), ["parity_mean"])
    assert set(frame["panel"]) == {"ImageNet"}
    assert list(frame["model_label"].unique()) == ["S/32, r=384", "B/16, r=768"]
    assert list(frame.loc[frame["model"] == "s-384", "condition"].unique()) == [
        "baseline",
        "proxies",
        *SCHEDULES,
    ]


def test_a_missing_run_is_named_with_the_command():
    records = make_records(GRIDS)
    gone = records[~((records["balance"] == "proxies") & (records["seed"] == 2))]
    with pytest.raises(UserError, match=r"balance~proxies/.*seed~2/on~rb; make .*snakemake .*figure2.csv$"):
        select_values(gone, settings(), ["parity_mean"])


def test_a_metric_that_no_evaluation_has_is_refused_unless_data_are_left_out():
    records = make_records(GRIDS)
    with pytest.raises(UserError, match="no metric 'auc' in rb"):
        select_values(records, settings(), ["parity_mean", "auc"])
    partial = settings(shown={"rb": "ImageNet", "gone": "COCO"})
    assert set(select_values(records, partial, ["parity_mean", "auc"])["metric"]) == {"parity_mean"}
    with pytest.raises(UserError, match="no metric 'auc'"):
        select_values(records, partial, ["auc"])


def test_runs_that_differ_in_their_method_are_refused():
    grids = {**GRIDS, "other": grid(["baseline"], ["siglip"], method="siglip")}
    given = settings_of("figure2", grids, shown={"rb": "ImageNet"})
    with pytest.raises(UserError, match=r"several values of method \(clip, siglip\)"):
        select_values(make_records(grids), given, ["parity_mean"])


def test_two_evaluations_with_one_label_are_refused():
    with pytest.raises(UserError, match="faces and scenes are both shown as 'people', with association_mean"):
        select_values(
            make_records(GRIDS),
            settings(shown={"faces": "people", "scenes": "people"}),
            ["association_mean"],
        )


def test_the_last_checkpoint_is_each_runs_own():
    frame = pd.DataFrame({"balance": ["a", "a", "b"], "examples": [1, 2, 1], "seed": 0})
    frame = frame.assign(dataset="d", model="m", method="c", attr="n", lam="0")
    assert list(final(frame)["examples"]) == [2, 1]


def test_rows_are_sorted_by_given_orders_and_others_dropped():
    frame = pd.DataFrame({"x": ["a", "b", "c", "b"], "y": [1, 2, 3, 1]})
    assert in_order(frame, {"x": ["b", "a"]}).values.tolist() == [["b", 2], ["b", 1], ["a", 1]]


def test_records_of_grids_are_their_product():
    records = make_records(GRIDS)
    chosen = of_grids(records, settings(), ["two", "absent"])
    assert set(chosen["balance"]) == set(SCHEDULES)
    assert set(chosen["seed"]) == {0}
    assert of_grids(records, settings(), ["absent"]).empty
