"""The page on the real faces quotes only numbers of the recorded tables in docs/tables."""

import re

import pandas as pd

from clipfair.core.paths import ROOT

PAGE = (ROOT / "docs/fairclip-results.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Real data: FairFace\n")[2].partition("\n## ")[0]
TABLES = ROOT / "docs/tables"
COLUMNS = [
    *(("auc", ""), ("accuracy", ""), ("es_auc", "age"), ("es_auc", "race")),
    *(("dpd", "age"), ("dpd", "race"), ("deodds", "age"), ("deodds", "race")),
]


def rows_after(header):
    lines = SECTION.partition(f"| {header} |")[2].split("\n")[2:]
    rows = lines[: lines.index("")]
    return {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows}


def test_the_table_of_methods_is_the_recorded_one():
    recorded = pd.read_csv(TABLES / "fairface.csv", keep_default_na=False)
    overall = recorded[recorded["group"] == ""].set_index(["row", "measure", "attribute"])
    quoted = rows_after("REAL: FairFace")
    assert list(quoted) == list(recorded["row"].unique())
    for row, cells in quoted.items():
        values = [overall.loc[(row, *column)] for column in COLUMNS]
        assert cells == [f"{float(value['mean']):.1f} ± {float(value['std']):.1f}" for value in values]


def test_the_differences_are_the_recorded_ones():
    recorded = pd.read_csv(TABLES / "fairface-findings.csv")
    statistics = {
        "gain in AUC (points, 95%)": ("F2", "a gain in AUC", "gain in AUC"),
        "exact distance of diag(L), log10 ratio (95%)": (
            *("F1", "the distance falls"),
            "log10 ratio of the exact distance (mean",
        ),
    }
    quoted = rows_after("REAL: FairFace, against CLIP-FT with all parameters trained")
    assert list(quoted) == list(statistics)
    for name, (finding, claim, statistic) in statistics.items():
        for cell, method in zip(quoted[name], ("a-fairclip", "fairclip-plus-faces"), strict=True):
            chosen = recorded[
                (recorded["finding"] == finding)
                & (recorded["claim"] == claim)
                & (recorded["methods"] == f"{method} against clip-ft-all")
                & recorded["statistic"].str.startswith(statistic)
            ]
            [row] = chosen.to_dict("records")
            found = "{mean:+.2f} [{low:+.2f}, {high:+.2f}]".format(**row)
            assert cell.replace("\u2212", "-") == found


def test_all_differences_are_undecided_as_the_page_says():
    recorded = pd.read_csv(TABLES / "fairface-findings.csv")
    directed = recorded[recorded["expected"] != "equivalent"]
    assert directed["verdict"].str.startswith("undecided").all()
    assert re.search(r"every claim of a\s+difference is undecided", SECTION)
