"""The page docs/answers.md, written from the recorded tables in docs/tables/questions.

python -m clipfair.tables.questions.answers_page
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml
from pydantic import Field

from clipfair.core.io import write_text
from clipfair.core.paths import ROOT
from clipfair.core.settings import SettingsModel, parse
from clipfair.plan.analysis_plan import PlannedQuestion, family_size, read_analysis_plan
from clipfair.tables.common.markdown import markdown_table
from clipfair.tables.common.table_files import DATA
from clipfair.tables.questions.answers import answer
from clipfair.tables.questions.measures import show_interval

PAGE = ROOT / "docs/answers.md"
RECORDED = ROOT / "docs/tables/questions"
TEXTS = ROOT / "resources/answers.yaml"
FIGURES = "pictures/questions"  # relative to the page
NOT_RUN = "**Not run yet.**"
HEAD = """# Answers

**Synthetic** and **real** results, marked in each heading, figure and table.

The page answers the questions that both papers leave open, by the rules of the
[analysis plan](analysis-plan.md), and gives verdicts on both papers' claims. It is made from the tables in
[tables/questions](tables/questions) (`python -m clipfair.tables.questions.answers_page`); each sentence
follows from the verdicts on the claims. A number is a mean over units with its 95% t interval; n counts
units, each a draw of the data with its own training seed.
"""


class QuestionText(SettingsModel):
    """Limits of a question, and objections to its answer."""

    limits: str
    added: str = ""
    """A result of runs that the plan does not have, which the answer must not leave out."""
    objections: str
    """Findings of an adversarial check that recomputed the answer from the published predictions."""


class PaperText(SettingsModel):
    """A paper, and the table that tests its claims."""

    title: str
    table: str


class AnswerTexts(SettingsModel):
    """The texts of the page that no table has."""

    questions: dict[str, QuestionText] = Field(min_length=1)
    papers: list[PaperText]


def render(recorded: Path = RECORDED) -> str:
    """The page from the tables ``q1.csv`` to ``q8.csv`` and the findings of both papers in a folder."""
    questions = read_analysis_plan().questions
    texts = parse(AnswerTexts, yaml.safe_load(TEXTS.read_text(encoding="utf-8")))
    tables = {name: _read(recorded / f"{name.lower()}.csv") for name in questions}
    parts = [_overview(questions, tables, texts)]
    parts += [
        _section(name, question, tables[name], texts.questions[name]) for name, question in questions.items()
    ]
    parts += [_paper(paper, recorded) for paper in texts.papers]
    return HEAD + "".join(f"\n{line}" for part in parts for line in part) + "\n"


def _read(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.exists() else None


def _claims(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["part"] == "claims"]


def _overview(
    questions: dict[str, PlannedQuestion], tables: dict[str, pd.DataFrame | None], texts: AnswerTexts
) -> Iterator[str]:
    rows = []
    for name, question in questions.items():
        table = tables[name]
        found = (
            ["-", NOT_RUN] if table is None else [_mark(table), _answer(name, table, texts.questions[name])]
        )
        rows.append([f"[{name}](#{_anchor(_title(name, question, table))}) {question.question}", *found])
    yield from markdown_table(["question", "data", "answer"], rows)


def _answer(name: str, table: pd.DataFrame, texts: QuestionText) -> str:
    """The answer by the verdicts, and what was found since, marked as exploratory."""
    by_plan = answer(name, _claims(table))
    return f"{by_plan} Exploratory, added later: {texts.added}" if texts.added else by_plan


def _title(name: str, question: PlannedQuestion, table: pd.DataFrame | None) -> str:
    """The heading of a question, which names the kind of data."""
    return f"{name}. {question.question}" + ("" if table is None else f" ({_kind(table)})")


def _kind(table: pd.DataFrame) -> str:
    """The kind of a table's data in a heading, such as ``synthetic data`` or ``real data, partial``."""
    kind, comma, partial = table[DATA].iloc[0].partition(",")
    return f"{kind} data{comma}{partial}"


def _mark(table: pd.DataFrame) -> str:
    """The kind of a table's data in a cell or before a caption, such as ``SYNTHETIC``."""
    kind, comma, partial = table[DATA].iloc[0].partition(",")
    return f"{kind.upper()}{comma}{partial}"


def _anchor(title: str) -> str:
    """The anchor that GitHub makes from a heading."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _section(
    name: str, question: PlannedQuestion, table: pd.DataFrame | None, texts: QuestionText
) -> Iterator[str]:
    yield from ("", f"## {_title(name, question, table)}", "")
    count = sum(family_size(family) for family in question.families.values())
    target = f"`results/tables/questions/questions/{name.lower()}.md`"
    if table is None:
        yield f"{NOT_RUN} Planned: {count} claims, {question.units} units; target {target}."
    else:
        claims = _claims(table)
        yield f"**{_answer(name, table, texts)}**"
        yield from (
            "",
            f"![{_mark(table)}. {name}: differences of all units, means and intervals]"
            f"({FIGURES}/{name.lower()}.png)",
            "",
        )
        yield f"Hypothesis: *{question.hypothesis}* All numbers: {target}."
        yield from ("", *_table(claims, _mark(table)))
    yield from ("", f"**What it does not show.** {texts.limits}")
    if table is not None:
        yield from ("", f"**Objections.** {texts.objections}")


def _table(claims: pd.DataFrame, mark: str) -> list[str]:
    head = [f"{mark}: claim", "world", "metric", "of", "less", "n", "difference [95%]", "margin", "verdict"]
    rows = [
        [
            *(row.claim, row.world, row.metric, row.of, row.less, f"{row.n:.0f}"),
            show_interval(row.mean, row.low, row.high, row.unit, sign="+"),
            f"{row.margin:g}",
            f"**{row.verdict}**{' (by levelling down)' if row.levelling_down in (True, 'True') else ''}",
        ]
        for row in claims.itertuples()
    ]
    return markdown_table(head, rows)


def _paper(paper: PaperText, recorded: Path) -> Iterator[str]:
    table = _read(recorded / f"{paper.table.replace('/', '-')}.csv")
    yield from ("", f"## Claims of *{paper.title}*" + ("" if table is None else f" ({_kind(table)})"), "")
    if table is None:
        yield f"**Not recorded yet.** Target `results/tables/embedded/{paper.table}.md`."
        return
    rows = [
        [
            *(row.finding, row.claim, row.statistic, f"{row.n:.0f}"),
            show_interval(row.mean, row.low, row.high, "", sign="+"),
            *(row.expected, f"{row.margin:g}", f"**{row.verdict}**"),
        ]
        for row in table.itertuples()
    ]
    yield "From the study `embedded`; a unit is a seed."
    head = ["claim", "statistic", "n", "mean [95%]", "expected", "margin", "verdict"]
    yield from ("", *markdown_table([f"{_mark(table)}: finding", *head], rows))


if __name__ == "__main__":
    write_text(PAGE, render())
