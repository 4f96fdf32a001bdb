"""The pages of the report: tables as self-contained HTML."""

import html
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt

from clipfair.core.io import write_text
from clipfair.tables.common.compare import DIFFERS, REPRODUCED
from clipfair.tables.common.table_files import DATA

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff }
table { border-collapse: collapse; font-size: 13px }
th, td { border: 1px solid #d0d0d0; padding: .3rem .5rem; text-align: left; vertical-align: top }
th { background: #f3f3f3; position: sticky; top: 0 }
tr:nth-child(even) td { background: #fafafa }
.sorted th { cursor: pointer }
.reproduced { color: #00664b; font-weight: 600 }
.differs { color: #9a3d00; font-weight: 600 }
""".strip()

# A click on a column head sorts by that column (numbers by value); a second click reverses the order.
SORT = """<script>
document.querySelectorAll(".sorted th").forEach((head, column) => head.addEventListener("click", () => {
  const body = head.closest("table").tBodies[0], up = head.dataset.up = head.dataset.up === "1" ? "" : "1";
  const of = row => row.cells[column].textContent;
  const order = (a, b) => of(a) - of(b) || of(a).localeCompare(of(b));
  [...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)).forEach(row => body.append(row));
}));
</script>
"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
{style}
</style></head><body>
{body}</body></html>
"""


def render(markdown: str) -> str:
    """The HTML of a markdown page, whose first line is the title.

    HTML within the page (images) is kept: the pages are written by this package, which escapes quoted text.
    """
    title = markdown.partition("\n")[0].removeprefix("# ")
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return PAGE.format(title=title, style=STYLE, body=body)


# Columns of a comparison that are not shown: they repeat others or serve computations.
HIDDEN = ["published_dataset", "published_row", "published_source", "combined_std"]


def render_comparison(compared: pd.DataFrame, title: str) -> str:
    """The HTML of a ``.compare.csv``: one row per value, sortable; numbers with four significant digits."""
    compared = compared.drop(columns=HIDDEN, errors="ignore")
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in compared.columns)
    rows = "\n".join(_row(values) for values in compared.itertuples(index=False))
    table = f'<table class="sorted"><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>'
    return PAGE.format(title=title, style=STYLE, body=f"<h1>{html.escape(title)}</h1>\n{table}\n{SORT}")


def _row(values: tuple) -> str:
    return "<tr>" + "".join(map(_cell, values)) + "</tr>"


def _cell(value: object) -> str:
    if pd.isna(value):
        return "<td></td>"
    text = f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))
    kind = f' class="{text}"' if text in (REPRODUCED, DIFFERS) else ""
    return f"<td{kind}>{text}</td>"


def write_pages(pages: Iterable[str], folder: str) -> None:
    """Render every ``<paper>/<table>.md`` to ``<folder>/<paper>/<table>.html``."""
    for page in map(Path, pages):
        _write(page, folder, page.stem, render(page.read_text(encoding="utf-8")))


def write_comparisons(compared: Iterable[str], folder: str) -> None:
    """Render every ``<paper>/<table>.compare.csv`` to ``<folder>/<paper>/<table>.html``."""
    for path in map(Path, compared):
        name = path.name.removesuffix(".compare.csv")
        compared = pd.read_csv(path)
        kinds = " and ".join(compared[DATA].unique())
        title = f"{name}: ours and published ({kinds} data)"
        _write(path, folder, name, render_comparison(compared, title))


def _write(source: Path, folder: str, name: str, text: str) -> None:
    write_text(Path(folder, source.parent.name, f"{name}.html"), text)
