"""The pages on Table 5 quote only numbers of the recorded tables in docs/tables."""

import re

import numpy as np
import pytest

from clipfair.core.paths import ROOT
from clipfair.tables.common.compare import ROUNDING_STD, read_published
from clipfair.tables.common.table_files import read_table
from clipfair.tables.m4 import mitigation, mitigation_rankings, mitigation_readings
from clipfair.tables.m4.mitigation_verdicts import RULES, count_verdicts

RECORDED = ROOT / "docs/tables"
PAGE = (ROOT / "docs/table5.md").read_text(encoding="utf-8")


def settings_of(compared):
    names = compared.drop_duplicates("row").set_index("row")["published_row"]
    return {
        "tasks": dict.fromkeys(compared["task"].unique()),
        "rows": names.where(names.notna(), None).to_dict(),
        "seeds": range(int(compared["n"].iloc[0])),
    }


def rendered_pages():
    table5 = read_table(RECORDED / "table5.compare.csv")
    readings = read_table(RECORDED / "table5-readings.compare.csv")
    rankings = read_table(RECORDED / "table5-rankings.csv")
    sklearn = read_table(RECORDED / "table5-sklearn.compare.csv")
    return "\n".join(
        [
            mitigation.render(table5, settings_of(table5)),
            mitigation_readings.render(readings, settings_of(readings)),
            mitigation_rankings.render(rankings, settings_of(table5)),
            mitigation.render(sklearn, settings_of(sklearn)),
        ]
    )


def words_of(page):
    """The page without line breaks."""
    return " ".join(page.split())


def section(name):
    return re.split(r"^## ", PAGE.partition(f"\n## {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    "name", ["Result", "Readings of a row", "Orders of methods", "scikit-learn's classifier"]
)
def test_every_row_of_a_result_is_that_of_a_recorded_table(name):
    rows = [line for line in section(name).split("\n") if line.startswith("| ") and "REAL" not in line]
    rendered = set(rendered_pages().split("\n"))
    assert len(rows) > 3
    assert [row for row in rows if row not in rendered and not row.startswith("| ---")] == []


def test_the_pages_quote_the_counts_of_the_recorded_table():
    compared = read_table(RECORDED / "table5.compare.csv")
    means, paired, one_split = (count_verdicts(compared, prefix) for prefix in RULES)
    assert all(line in words_of(PAGE) for line in mitigation.verdict_counts(compared))
    readme = words_of((ROOT / "README.md").read_text(encoding="utf-8"))
    for reproduced, cells, *_ in (means, paired, one_split):
        assert f"{reproduced} of {cells}" in readme


def test_the_page_quotes_the_counts_if_the_published_deviation_is_over_ten_repeats():
    compared = read_table(RECORDED / "table5.compare.csv").dropna(subset="published_mean")
    for prefix, rounding, what in (
        ("", ROUNDING_STD, "means"),
        ("paired_", 2**0.5 * ROUNDING_STD, "differences"),
    ):
        judged = compared.dropna(subset=f"{prefix}mean")
        deviations = judged[[f"{prefix}std", f"{prefix}published_std"]] / 10**0.5
        uncertainty = np.sqrt((deviations**2).sum(axis=1) + rounding**2)
        reproduced = int((judged[f"{prefix}difference"].abs() <= 2 * uncertainty).sum())
        assert f"{reproduced} of {len(judged)} {what}" in words_of(PAGE)


def test_the_recorded_tables_are_compared_with_the_published_values_of_today():
    compared = read_table(RECORDED / "table5.compare.csv").dropna(subset="published_mean")
    published = read_published(ROOT / "resources/published/m4.csv", "table5")
    key = ["published_dataset", "published_row", "metric"]
    found = compared.set_index(key)[["published_mean", "published_std"]].sort_index()
    assert found.to_dict() == published.set_index(key)[list(found)].sort_index().to_dict()
