"""Figure 8 from the audit of a balanced set."""

import itertools

import numpy as np
import pandas as pd
import pytest

from clipfair.balance.conditions import make_condition
from clipfair.core.errors import UserError
from clipfair.core.io import read_json, write_json
from clipfair.tables.m4.group_distributions import VERSIONS, build
from clipfair.tables.m4.group_distributions_figure import draw
from tests.unit.tables.drawing import read_back, svg_of


@pytest.fixture
def audit(annotated, tmp_path):
    """Perceived gender freed of occupations and proxies, a tenth of the examples given up."""
    make_condition(
        annotated.paths,
        kind="m4",
        settings={
            "sensitive": ["gender"],
            "labels": ["occupation", "proxy"],
            "rate": 0.9,
            "target": "median",
        },
        seed=0,
        keep_path=tmp_path / "keep.parquet",
        audit_path=tmp_path / "audit.json",
        dual_path=tmp_path / "dual.json",
    )
    return str(tmp_path / "audit.json")


def test_shares_and_correlations_are_those_of_the_rows(annotated, audit, tmp_path):
    frame, _ = build(audit)
    kept = annotated.frame[annotated.frame["key"].isin(pd.read_parquet(tmp_path / "keep.parquet")["key"])]
    lines = frame.set_index(["constraints", "item"])
    groups = [f"{modality}.gender={value}" for modality in ("text", "image") for value in ("man", "woman")]
    assert set(lines.loc["balance gender"].index) == set(groups)
    for version, data in (("before", annotated.frame), ("sample", kept)):
        for group in groups:
            assert lines.loc[("balance gender", group), version] == pytest.approx(data[group].mean())
        for attribute in ("occupation", "proxy"):
            labels = [name for name in data if f".{attribute}=" in name]
            sizes = [
                abs(np.corrcoef(data[group], data[label])[0, 1])
                for group, label in itertools.product(groups, labels)
            ]
            found = lines.loc[f"decorrelate gender and {attribute}", version]
            assert found["maximum"] == pytest.approx(max(sizes))
            assert found["median"] == pytest.approx(np.median(sizes))


def test_weighted_values_and_targets_are_the_audits(audit):
    frame, _ = build(audit)
    audited = read_json(audit)
    lines = frame.set_index("item")
    for group in audited["groups"]:
        assert lines.loc[group["group"], "after"] == group["after"]
        assert lines.loc[group["group"], "target"] == group["target"]
    largest = [family["correlation_max"]["after"] for family in audited["by_attribute"]["association"]]
    assert list(lines.loc["maximum", "after"]) == largest


def made(folder, groups, families=()):
    """An audit without a sample; every version of a value is the value."""
    versions = ("before", "after")
    write_json(
        folder / "made.json",
        {
            "groups": [
                {"group": group, "target": 0.1, **dict.fromkeys(versions, share)} for group, share in groups
            ],
            "by_attribute": {
                "representation": [],
                "association": [
                    {
                        "groups": name,
                        "labels": other,
                        "correlation_max": dict.fromkeys(versions, value),
                        "correlation_median": dict.fromkeys(versions, None),
                    }
                    for name, other, value in families
                ],
            },
        },
    )
    return str(folder / "made.json")


AGES = [("age=0-2", 0.3), ("gender=a.b=c", 0.2), ("age=3.5", 0.05), ("gender=d", None)]


def test_groups_of_one_attribute_are_consecutive(tmp_path):
    frame, page = build(made(tmp_path, AGES, [("gender", "age", 0.25)]))
    assert frame[["constraints", "item"]].to_numpy().tolist() == [
        ["balance age", "age=0-2"],
        ["balance age", "age=3.5"],
        ["balance gender", "gender=a.b=c"],
        ["balance gender", "gender=d"],
        ["decorrelate gender and age", "maximum"],
        ["decorrelate gender and age", "median"],
    ]
    assert list(frame["before"][:3]) == [0.3, 0.05, 0.2]
    assert np.isnan(frame["before"][3])
    assert frame["sample"].isna().all()
    assert "| balance age | age=3.5 | 10.00 | 5.00 | 5.00 |" in page
    assert "| decorrelate gender and age | maximum | 0.250 | 0.250 |" in page
    assert "| decorrelate gender and age | median | - | - |" in page


def test_without_labels_there_are_no_correlations(tmp_path):
    frame, page = build(made(tmp_path, AGES))
    assert set(frame["measure"]) == {"share"}
    assert "correlation" not in page.partition("\n")[2]
    assert len(draw(frame).axes) == 2


def test_a_file_that_is_no_audit_is_refused(tmp_path):
    write_json(tmp_path / "other.json", {"groups": []})
    with pytest.raises(UserError, match=r"other\.json: no groups or no measures by attribute"):
        build(str(tmp_path / "other.json"))


def test_the_figure_is_drawn_from_the_file_and_the_same_every_time(audit, tmp_path):
    frame, _ = build(audit)
    text = svg_of(tmp_path, frame, draw)
    axes = draw(read_back(tmp_path, frame)).axes
    assert len(axes) == 2
    heights = [[bar.get_height() for bar in bars] for bars in axes[0].containers]
    shares = frame[frame["measure"] == "share"]
    np.testing.assert_allclose(heights, 100 * shares[list(VERSIONS)].to_numpy().T)
    assert len(axes[1].patches) == 2 * 2 * 3
    assert read_json(audit)["groups"][0]["group"].split("=")[1] in text
