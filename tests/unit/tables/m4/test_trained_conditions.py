"""Tables 1, 2 and 3 of CLIP the Bias on synthetic records with known effects."""

import pytest

from clipfair.core.errors import UserError
from clipfair.tables.common.compare import read_published
from clipfair.tables.m4 import trained_conditions
from tests.unit.tables.m4.synthetic_records import CONDITIONS, SWEEP, grid, make_records, settings_of

PUBLISHED = "resources/published/m4.csv"


def table1(**entry):
    return settings_of(
        "table1",
        {"b16": SWEEP["b16"]},
        published="table1",
        published_datasets={"few": "cars", "gone": "pets"},
        published_metrics={"accuracy_10shot": "10-shot accuracy"},
        published_rows={name: name for name in CONDITIONS},
        **entry,
    )


@pytest.fixture
def b16(sweep):
    return sweep[sweep["model"] == "b16"]


def test_published_values_are_compared_with_ours(b16):
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


def test_synthetic_data_never_look_like_a_reproduction(b16):
    _, compared, page = trained_conditions.build(b16, read_published(PUBLISHED, "table1"), table1())
    assert set(compared["verdict"]) == {"not comparable: synthetic data"}
    assert compared[["difference", "deviations"]].isna().all(axis=None)
    assert compared["published_mean"].notna().all()
    assert "79.0" not in page
    assert "not comparable: synthetic data" in page


def test_the_published_table_is_of_one_model(sweep):
    given = {**table1(), **{key: settings_of("table1", SWEEP)[key] for key in ("grids", "models")}}
    with pytest.raises(UserError, match=r"table m4/table1: 3 models \(s-384, b-768, b16\)"):
        trained_conditions.build(sweep, read_published(PUBLISHED, "table1"), given)


def test_every_published_cell_of_tables_2_and_3_has_a_counterpart():
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
    for name, entry in lines.items():
        given = settings_of(name, grids, published=name, published_rows=rows, **entry)
        _, compared, page = trained_conditions.build(records, read_published(PUBLISHED, name), given)
        assert compared["published_mean"].notna().all()
        assert page.startswith(f"# Table {name[-1]} of CLIP the Bias")
