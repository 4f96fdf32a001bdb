"""Figures 2 to 6, 11 to 20 and Tables 1 to 3 of CLIP the Bias on made records with known effects."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import signed_rank
from clipfair.tables.common.compare import read_published
from clipfair.tables.m4 import (
    data_size,
    data_size_figure,
    human_share,
    human_share_figure,
    learning_dynamics,
    learning_dynamics_figure,
    quality,
    quality_figure,
    quality_tests,
    trained_conditions,
)
from tests.unit.tables.m4.made_records import CHECKPOINTS, SCHEDULES, grid, make_records, settings_of

CONDITIONS = ["baseline", "balanced", "proxies"]
SWEEP = {"sweep": grid(CONDITIONS, ["s-384", "b-768"]), "b16": grid(CONDITIONS, ["b16"])}
STAGED = {"single": grid(CONDITIONS, ["s-384", "b16"]), "staged": grid(SCHEDULES, ["s-384"])}
PARITY = {"metric": "parity_mean", "shown": {"rb": "ImageNet"}}
ASSOCIATION = {"metric": "association_mean", "shown": {"faces": "FairFace", "scenes": "MIAP"}}


@pytest.fixture(scope="module")
def sweep():
    return make_records(SWEEP)


@pytest.fixture(scope="module")
def staged():
    return make_records(STAGED)


def as_read(table):
    """The table as the figure's rule reads it."""
    return pd.read_csv(io.StringIO(table.to_csv(index=False)))


def texts(figure):
    """All that is written in a figure."""
    figure.draw_without_rendering()
    return {text.get_text() for text in figure.findobj(Text)}


# --- Figures 2, 4, 13, 15 ---


def test_every_checkpoint_is_a_point_with_its_deviation_over_seeds(sweep):
    table, compared, page = data_size.build(sweep, None, settings_of("figure2", SWEEP, **PARITY))
    assert compared is None
    curves = table[table["part"] == "values"]
    assert len(curves) == 3 * 3 * len(CHECKPOINTS)
    point = curves.query("model == 's-384' and condition == 'proxies' and examples == 500").iloc[0]
    own = sweep.query("model == 's-384' and balance == 'proxies' and examples == 500")
    own = own.loc[own["metric"] == "parity_mean", "value"]
    assert point["mean"] == pytest.approx(own.mean())
    assert point["std"] == pytest.approx(own.std(ddof=1))
    assert point["n"] == 3
    assert "| S/32, r=384 |" in page


def test_p_values_are_of_pairs_matched_on_model_examples_and_seed(sweep):
    table, _, _ = data_size.build(sweep, None, settings_of("figure2", SWEEP, **PARITY))
    tests = table[table["part"] == "tests"].set_index(["condition", "against"])
    key = ["model", "examples", "seed"]
    own = sweep[sweep["metric"] == "parity_mean"]
    one, other = (own[own["balance"] == name].set_index(key)["value"] for name in ("proxies", "balanced"))
    cell = tests.loc[("proxies", "balanced")]
    assert cell["p_value"] == signed_rank(one - other).p_value
    assert cell["pairs"] == 3 * len(CHECKPOINTS) * 3
    assert len(tests) == 6


def test_several_datasets_are_tested_apart_and_together(sweep):
    table, _, _ = data_size.build(sweep, None, settings_of("figure4", SWEEP, **ASSOCIATION))
    tests = table[table["part"] == "tests"]
    pairs = tests.groupby("panel", sort=False)["pairs"].max()
    assert pairs.to_dict() == {"FairFace": 27, "MIAP": 27, "all": 54}


@pytest.mark.parametrize("line", [PARITY, ASSOCIATION])
def test_the_figure_shows_models_conditions_and_p_values(sweep, line):
    table, _, _ = data_size.build(sweep, None, settings_of("figure2", SWEEP, **line))
    written = texts(data_size_figure.draw(as_read(table)))
    assert {"S/32, r=384", "B/16, r=768", "p-values", *CONDITIONS} <= written
    assert "1k" in written


def test_one_seed_and_one_checkpoint_can_be_drawn():
    grids = {"one": grid(CONDITIONS, ["s-384"], seeds=[0])}
    records = make_records(grids, checkpoints=(1000,))
    table, _, page = data_size.build(records, None, settings_of("figure2", grids, **PARITY))
    assert table["std"].isna().all()
    assert "±" not in page.partition("| model |")[2]
    assert "examples seen" not in texts(data_size_figure.draw(as_read(table)))


def test_one_condition_has_nothing_to_be_tested_against():
    grids = {"one": grid(["baseline"], ["s-384"])}
    table, _, page = data_size.build(make_records(grids), None, settings_of("figure2", grids, **PARITY))
    assert set(table["part"]) == {"values"}
    assert "| S/32, r=384 |" in page
    assert "p-values" in texts(data_size_figure.draw(as_read(table)))


def test_a_value_that_is_undefined_is_left_out_of_its_pairs(sweep):
    damaged = sweep.copy()
    damaged.loc[(damaged["metric"] == "parity_mean") & (damaged["seed"] == 0), "value"] = np.nan
    table, _, _ = data_size.build(damaged, None, settings_of("figure2", SWEEP, **PARITY))
    assert (table.loc[table["part"] == "values", "n"] == 2).all()
    assert (table.loc[table["part"] == "tests", "pairs"] == 18).all()


# --- Figures 3, 5, 14, 16 ---


def test_stages_stand_between_the_runs_of_one_stage(staged):
    told = settings_of("figure3", STAGED, intervention="proxies", **PARITY)
    table, _, page = learning_dynamics.build(staged, None, told)
    first = table[table["order"] == "proxies first"]
    assert list(first["stage_1"]) == [0, 0.1, 0.9, 1]
    own = staged[(staged["metric"] == "parity_mean") & (staged["examples"] == CHECKPOINTS[-1])]
    own = own[own["model"] == "s-384"].groupby("balance")["value"].mean()
    at = dict(zip(first["stage_1"], first["mean"], strict=True))
    assert at[0] == pytest.approx(own["baseline"])
    assert at[0.9] == pytest.approx(own["proxies-90-baseline"])
    assert at[1] == pytest.approx(own["proxies"])
    assert "## ImageNet: baseline first" in page


def test_models_without_stages_are_not_shown(staged):
    told = settings_of("figure3", STAGED, intervention="proxies", **PARITY)
    table, _, _ = learning_dynamics.build(staged, None, told)
    assert set(table["model"]) == {"s-384"}


def test_an_intervention_without_schedule_is_refused(staged):
    told = settings_of("figure3", STAGED, intervention="balanced", **PARITY)
    with pytest.raises(UserError, match="no schedule of its grids has stages baseline and balanced"):
        learning_dynamics.build(staged, None, told)


def test_the_figure_of_stages_names_both_orders(staged):
    told = settings_of("figure5", STAGED, intervention="proxies", **ASSOCIATION)
    table, _, _ = learning_dynamics.build(staged, None, told)
    written = texts(learning_dynamics_figure.draw(as_read(table)))
    assert {"proxies first", "baseline first", "examples in stage 1 (%)", "FairFace", "MIAP"} <= written


# --- Figures 6, 11, 12, 17 to 20 ---


def test_quality_is_that_of_the_last_checkpoint_by_group(sweep):
    told = settings_of(
        "figure20",
        SWEEP,
        shown={"faces": "FairFace", "scenes": "MIAP"},
        metrics=["gender_log_loss"],
        groups=["man", "woman"],
    )
    table, _, page = quality.build(sweep, None, told)
    assert len(table) == 2 * 2 * 3 * 3
    own = sweep.query("evaluation == 'faces' and group == 'woman' and examples == 1000 and model == 'b16'")
    mean = own.loc[own["balance"] == "balanced", "value"].mean()
    cell = table.query(
        "panel == 'FairFace' and group == 'woman' and model == 'b16' and condition == 'balanced'"
    )
    assert cell["mean"].item() == pytest.approx(mean)
    assert "## log-loss (nats), woman" in page
    written = texts(quality_figure.draw(as_read(table)))
    assert {"FairFace, man", "MIAP, woman", "log-loss (nats)", *CONDITIONS} <= written


def test_metrics_of_different_evaluations_have_their_own_panels(sweep):
    records = sweep[sweep["model"] == "b16"]
    recalls = ["image_to_text_recall_5", "text_to_image_recall_5"]
    told = settings_of(
        "figure6",
        {"b16": SWEEP["b16"]},
        shown={"zero": "Pets", "search": "COCO"},
        metrics=["accuracy", *recalls],
    )
    table, _, _ = quality.build(records, None, told)
    panels = table[["panel", "metric"]].drop_duplicates().values.tolist()
    assert panels == [["Pets", "accuracy"], *(["COCO", recall] for recall in recalls)]
    figure = quality_figure.draw(as_read(table))
    assert len(figure.axes) == 3
    assert not figure.legends  # one model: its conditions stand along x


def test_quality_follows_the_share_of_humans():
    shares = {"baseline": 1.0, "drop-human": 0.0}
    grids = {"humans": grid(shares, ["s-384"])}
    told = settings_of("figure11", grids, shown={"zero": "Pets"}, metrics=["accuracy"], human_shares=shares)
    records = make_records(grids, noise=0)
    table, _, page = human_share.build(records, None, told)
    assert dict(zip(table["human_share"], table["mean"], strict=True)) == pytest.approx({1: 0.5, 0: 0.53})
    assert "| Pets | zero-shot accuracy (%) | S/32, r=384 | 50.0 ± 0.0 | 53.0 ± 0.0 |" in page
    assert "human examples kept (%)" in texts(human_share_figure.draw(as_read(table)))


def test_a_condition_without_share_of_humans_is_refused():
    grids = {"humans": grid(["baseline", "drop-human"], ["s-384"])}
    told = settings_of(
        "figure11", grids, shown={"zero": "Pets"}, metrics=["accuracy"], human_shares={"baseline": 1}
    )
    with pytest.raises(UserError, match="no share of human examples of drop-human"):
        human_share.build(make_records(grids), None, told)


# --- Sections 4.3 and 4.4 ---

CLAIMS = [
    {"section": "4.3", "quantity": "gender", "shown": {"faces": "FairFace", "scenes": "MIAP"}}
    | {"metrics": ["gender_log_loss"], "groups": ["man", "woman"], "smallest_p": 0.05},
    {"section": "4.4", "quantity": "classification", "shown": {"zero": "Pets", "few": "Pets"}}
    | {"metrics": ["accuracy", "accuracy_10shot"], "largest_p": 1e-5},
    {"section": "4.4", "quantity": "left out", "shown": {"gone": "COCO"}, "metrics": ["x"], "largest_p": 1},
]


def test_each_claim_is_tested_on_matched_pairs(sweep):
    told = settings_of("tests", SWEEP, claims=CLAIMS)
    table, _, page = quality_tests.build(sweep, None, told)
    assert table.groupby("quantity", sort=False)["pairs"].max().to_dict() == {
        "gender": 2 * 2 * 3 * 3,
        "classification": 2 * 3 * 3,
    }
    cell = table.set_index(["quantity", "condition", "against"]).loc[
        ("classification", "proxies", "baseline")
    ]
    own = sweep[sweep["metric"].isin(CLAIMS[1]["metrics"]) & sweep["label"].isna()]
    own = own.groupby("balance")["value"].mean()
    assert cell["mean_difference"] == pytest.approx(own["proxies"] - own["baseline"])
    assert cell["paper"] == "p < 1e-05"
    assert set(table["agrees"]) == {"not comparable: synthetic data"}
    assert "- **gender**: log-loss." in page


def test_agreement_with_the_paper_is_said_of_comparable_data_only(sweep):
    told = settings_of("tests", SWEEP, claims=CLAIMS, incomparable="")
    table, _, _ = quality_tests.build(sweep, None, told)
    for line in table.itertuples():
        said = line.p_value > 0.05 if line.section == "4.3" else line.p_value < 1e-5
        assert line.agrees == ("yes" if said else "no")


def test_claims_on_nothing_are_refused(sweep):
    with pytest.raises(UserError, match="no evaluation of its claims is in its grids"):
        quality_tests.build(sweep, None, settings_of("tests", SWEEP, claims=CLAIMS[2:]))


# --- Tables 1, 2, 3 ---

PUBLISHED = "resources/published/m4.csv"


def table1(**line):
    return settings_of(
        "table1",
        {"b16": SWEEP["b16"]},
        published="table1",
        published_datasets={"few": "cars", "gone": "pets"},
        published_metrics={"accuracy_10shot": "10-shot accuracy"},
        rows={name: name for name in CONDITIONS},
        **line,
    )


@pytest.fixture
def b16(sweep):
    return sweep[sweep["model"] == "b16"]


def test_published_values_stand_beside_ours(b16):
    published = read_published(PUBLISHED, "table1")
    table, compared, page = trained_conditions.build(b16, published, table1(incomparable=""))
    own = 100 * b16.query("metric == 'accuracy_10shot' and balance == 'balanced' and label.isna()")["value"]
    cell = compared.set_index("condition").loc["balanced"]
    assert cell["mean"] == pytest.approx(own.mean())
    assert cell["published_mean"] == 79.0
    assert cell["difference"] == pytest.approx(own.mean() - 79.0)
    assert cell["verdict"] == "differs"
    assert list(table["condition"]) == CONDITIONS
    assert "*published*" in page


def test_embedded_data_never_look_like_a_reproduction(b16):
    _, compared, page = trained_conditions.build(b16, read_published(PUBLISHED, "table1"), table1())
    assert set(compared["verdict"]) == {"not comparable: synthetic data"}
    assert compared[["difference", "deviations"]].isna().all(axis=None)
    assert compared["published_mean"].notna().all()
    assert "79.0" not in page
    assert "not comparable: synthetic data" in page


def test_the_published_table_is_of_one_model(sweep):
    told = {**table1(), **{key: settings_of("table1", SWEEP)[key] for key in ("grids", "models")}}
    with pytest.raises(UserError, match=r"table m4/table1: 3 models \(s-384, b-768, b16\)"):
        trained_conditions.build(sweep, read_published(PUBLISHED, "table1"), told)


def test_every_published_cell_of_tables_2_and_3_is_met():
    grids = {"siglip": grid(["baseline", "proxies"], ["siglip"], method="siglip")}
    records = make_records(grids)
    rows = {"baseline": "none", "proxies": "proxies"}
    lines = {
        "table2": {
            "published_datasets": {"faces": "fairface", "scenes": "miap"},
            "published_metrics": {"pairwise_max": "SigLIP association bias (max parity)"},
        },
        "table3": {
            "published_datasets": {"zero": "imagenet", "few": "imagenet", "search": "coco"},
            "published_metrics": {
                "accuracy_10shot": "10-shot accuracy",
                "accuracy": "0-shot accuracy",
                "image_to_text_recall_5": "img2txt recall@5",
                "text_to_image_recall_5": "txt2img recall@5",
            },
        },
    }
    for name, line in lines.items():
        told = settings_of(name, grids, published=name, rows=rows, **line)
        _, compared, page = trained_conditions.build(records, read_published(PUBLISHED, name), told)
        assert compared["published_mean"].notna().all()
        assert page.startswith(f"# Table {name[-1]} of CLIP the Bias")
