"""docs/answers.md is that of the recorded tables, says what was not run, and has no number of its own."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from clipfair.core.paths import ROOT
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.common.findings import Check, Claim, judge_checks
from clipfair.tables.common.table_files import write_table
from clipfair.tables.m4 import findings
from clipfair.tables.questions import question
from clipfair.tables.questions.answers_page import FIGURES, NOT_RUN, PAGE, RECORDED, TEXTS, render
from tests.unit.tables.m4.synthetic_records import grid, settings_of
from tests.unit.tables.m4.synthetic_records import make_records as web_records
from tests.unit.tables.questions.synthetic_units import make_records
from tests.unit.tables.questions.test_question import SETTINGS, value

PLAN = read_analysis_plan()
TEXT = TEXTS.read_text(encoding="utf-8")


def section(page, name):
    return re.split(r"^## ", page.partition(f"\n## {name}. ")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_page_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(), (
        "run python -m clipfair.tables.questions.answers_page and review what has changed"
    )


@pytest.mark.parametrize("name", PLAN.questions)
def test_a_question_is_answered_with_its_figure_or_not_run_yet(name):
    found = section(PAGE.read_text(encoding="utf-8"), name)
    recorded = (RECORDED / f"{name.lower()}.csv").exists()
    assert (NOT_RUN in found) != recorded
    assert (f"{FIGURES}/{name.lower()}.png" in found) == recorded
    assert "**What it does not show.**" in found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Q2 alone, from synthetic values."""
    folder = tmp_path_factory.mktemp("recorded")
    table, _, _ = question.build(make_records(SETTINGS, value), None, SETTINGS)
    write_table(folder / "q2.csv", table, "synthetic")
    return folder, table


def test_a_recorded_question_has_its_claims_and_the_others_are_not_run(recorded):
    folder, table = recorded
    page = render(folder)
    assert page.count(NOT_RUN) == 2 * (len(PLAN.questions) - 1)
    claims = table[table["part"] == "claims"]
    rows = [line for line in section(page, "Q2").split("\n") if line.startswith("| Q2.")]
    assert len(rows) == len(claims)
    for row, claim in zip(rows, claims.itertuples(), strict=True):
        shown = row.split(" | ")
        assert shown[5] == f"{claim.n:.0f}"
        assert shown[6] == f"{claim.mean:+.1f} [{claim.low:+.1f}, {claim.high:+.1f}]"
        assert f"**{claim.verdict}**" in row
        assert ("(by levelling down)" in row) == claim.levelling_down


@pytest.mark.parametrize("name", PLAN.questions)
def test_heading_figure_and_table_of_a_question_name_the_kind_of_data(name):
    kind = pd.read_csv(RECORDED / f"{name.lower()}.csv")["data"].iloc[0]
    mark = kind.replace("synthetic", "SYNTHETIC").replace("real", "REAL")
    heading, *lines = section(PAGE.read_text(encoding="utf-8"), name).split("\n")
    assert heading.endswith({"synthetic": "(synthetic data)", "real, partial": "(real data, partial)"}[kind])
    assert [line for line in lines if line.startswith(f"![{mark}. {name}:")]
    assert [line for line in lines if line.startswith(f"| {mark}: claim | ")]


def test_the_claims_of_both_papers_name_the_kind_of_data():
    page = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"^## Claims of \*.*\* \(synthetic data\)$", page, flags=re.MULTILINE)) == 2
    assert page.count("\n| SYNTHETIC: finding | ") == 2


def test_the_claims_of_a_paper_have_their_verdicts_here(tmp_path):
    checks = [
        Check(Claim("I", "a gap falls", "gap", "lower", 0.02), pd.Series([-0.3, -0.2, -0.25, -0.31] * 2)),
        Check(Claim("II", "and another rises", "other gap", "higher", 0.02), pd.Series([0.1])),
    ]
    rows = [{"finding": one.claim.finding, "claim": one.claim.text, "statistic": "gap"} for one in checks]
    table = pd.concat([pd.DataFrame(rows), judge_checks(checks)], axis=1)
    write_table(tmp_path / "m4-findings.csv", table, "synthetic")
    page = render(tmp_path)
    assert "| I | a gap falls | gap | 8 | -0.265 [-0.304, -0.226] | lower | 0.02 | **holds** |" in page
    assert "| II | and another rises | gap | 1 | +0.100 | higher | 0.02 | **undecided (one unit)** |" in page
    assert page.count("**Not recorded yet.**") == 1


def test_texts_have_no_numbers_but_those_of_the_plan():
    known = (ROOT / "resources/analysis_plan.yaml").read_text(encoding="utf-8")
    for name, entry in yaml.safe_load(TEXT)["questions"].items():
        numbers = re.findall(r"\d+", entry["limits"].replace(f"{name}.", ""))
        assert [number for number in numbers if number not in known] == [], name


def test_objections_quote_the_values_of_their_recorded_table():
    quoted = 0
    for name, entry in yaml.safe_load(TEXT)["questions"].items():
        table = pd.read_csv(RECORDED / f"{name.lower()}.csv", low_memory=False)
        values = table[table["part"] == "values"].reindex(columns=["mean", "difference"])
        known = {f"{value:.1f}" for value in np.abs(values.to_numpy(dtype=float)).ravel()}
        for before, inside in re.findall(r"([^()]*)\(([^()]*)\)", entry["objections"]):
            if f"{name.lower()}.csv, values" in inside:
                numbers = re.findall(r"\d+\.\d", before.rpartition(". ")[2] + inside)
                assert [number for number in numbers if number not in known] == [], name
                quoted += len(numbers)
    assert quoted > 10


@pytest.mark.parametrize("name", ["q1-placebo", "q7-known-answers"])
def test_objections_quote_the_tables_that_were_added(name):
    """Signed numbers of the sentence before the file's name are a mean, a difference or a bound in it."""
    table = pd.read_csv(RECORDED / f"{name}.csv", low_memory=False)
    parts = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    values = table.reindex(columns=list(parts)).to_numpy(dtype=float).ravel()
    known = {f"{value:+.{decimals}f}" for value in values for decimals in (1, 3)}
    objections = yaml.safe_load(TEXT)["questions"][name[:2].upper()]["objections"]
    before = objections.partition(f" ({name}.csv)")[0].rpartition(". ")[2]
    quoted = re.findall(r"[+-]\d+\.\d+", before)
    assert len(quoted) >= 4
    assert [number for number in quoted if number not in known] == []


def test_the_claims_of_a_paper_are_those_of_its_recorded_table(tmp_path):
    grids = {"single": grid(["baseline", "balanced", "proxies"], ["s-384"], seeds=range(10))}
    of_siglip = {"grids": ["siglip"], "without": "baseline", "with": "proxies"}
    table, _, _ = findings.build(
        web_records(grids, noise=0.004),
        None,
        settings_of("findings", grids, clip=["single"], siglip=of_siglip),
    )
    write_table(tmp_path / "m4-findings.csv", table, "synthetic")
    rows = [line for line in render(tmp_path).split("\n") if re.match(r"\| [IV]+ \|", line)]
    assert len(rows) == len(table)
    for row, claim in zip(rows, table.itertuples(), strict=True):
        shown = row.strip("| ").split(" | ")
        assert shown[:2] == [claim.finding, claim.claim]
        assert (shown[3], shown[-1]) == (str(claim.n), f"**{claim.verdict}**")
    assert any("**holds**" in row for row in rows)
