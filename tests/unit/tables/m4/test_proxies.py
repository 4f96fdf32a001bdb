"""Table 6 from annotations."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.m4.proxies import build


def mean(values):
    return sum(values) / len(values) if values else float("nan")


def test_counts_and_associations_are_those_of_the_rows(annotated):
    frame, _ = build(annotated.paths)
    assert len(frame) == (3 + 2) * (2 + 2)
    for entry in frame.itertuples():
        has = [row[f"{entry.modality}.proxy={entry.proxy}"] for row in annotated.rows]
        member = [row[f"{entry.group_modality}.gender={entry.group}"] for row in annotated.rows]
        inside = [h for h, m in zip(has, member, strict=True) if m]
        outside = [h for h, m in zip(has, member, strict=True) if not m]
        assert entry.n == sum(has)
        assert entry.share == pytest.approx(sum(has) / 50)
        assert entry.group_n == sum(member)
        assert entry.association == pytest.approx(mean(inside) - mean(outside))


def test_the_order_is_the_vocabularys(annotated):
    frame, page = build(annotated.paths)
    assert list(frame["proxy"].unique()) == ["gun", "credit card", "car"]
    assert list(frame[frame["proxy"] == "gun"]["modality"].unique()) == ["text", "image"]
    assert page.index("| gun |") < page.index("| credit card |") < page.index("| car |")


def test_files_in_any_order_give_the_same(annotated):
    frame, page = build(annotated.paths)
    again, same = build(annotated.paths[::-1])
    pd.testing.assert_frame_equal(frame, again)
    assert page == same


def test_the_page_shows_shares_and_the_strongest_pair_of_modalities(annotated):
    frame, page = build(annotated.paths)
    entry = next(line for line in page.splitlines() if line.startswith("| gun |"))
    of = frame[(frame["proxy"] == "gun") & (frame["group"] == "woman")]
    strongest = max(of.itertuples(), key=lambda record: abs(record.association))
    shares = of.set_index("modality")["share"]
    assert f"| {100 * shares['text'].iloc[0]:.2f} | {100 * shares['image'].iloc[0]:.2f} |" in entry
    assert entry.endswith(
        f"| {strongest.association:+.3f} ({strongest.group_modality}, {strongest.modality}) |"
    )
    of_car = next(line for line in page.splitlines() if line.startswith("| car |"))
    assert of_car.split(" | ")[2] == "-"


def test_a_group_without_anyone_is_undefined_and_stays(annotated, tmp_path):
    path = tmp_path / "nobody.parquet"
    columns = [name for name in annotated.frame if ".gender=" not in name]
    annotated.frame[columns].assign(**{"text.gender=man": False}).to_parquet(path)
    frame, page = build([str(path)])
    assert set(frame["group_n"]) == {0}
    assert np.isnan(frame["association"]).all()
    assert page.count("| - |") == 3


def test_a_proxy_that_never_occurs_stays_with_a_dash_on_the_page(annotated, tmp_path):
    path = tmp_path / "never.parquet"
    annotated.frame.assign(**{"text.proxy=car": False}).to_parquet(path)
    frame, page = build([str(path)])
    assert list(frame[frame["proxy"] == "car"]["n"]) == [0] * 4
    assert "| car | 0.00 | - | - | - |" in page


def test_annotations_without_proxies_are_refused(annotated, tmp_path):
    path = tmp_path / "bare.parquet"
    annotated.frame[["key", "text.gender=man"]].to_parquet(path)
    with pytest.raises(UserError, match=r"annotate the attribute 'proxy' first"):
        build([str(path)])
