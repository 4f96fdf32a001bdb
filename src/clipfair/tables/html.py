"""A table's page as HTML that needs nothing beside it: what the report shows."""

from collections.abc import Iterable
from pathlib import Path

from markdown_it import MarkdownIt

from clipfair.io import write_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff }
table { border-collapse: collapse; font-size: 13px }
th, td { border: 1px solid #d0d0d0; padding: .3rem .5rem; text-align: left; vertical-align: top }
th { background: #f3f3f3; position: sticky; top: 0 }
tr:nth-child(even) td { background: #fafafa }
""".strip()

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
{style}
</style></head><body>
{body}</body></html>
"""


def render(markdown: str) -> str:
    """The HTML of a page; its first line is the title.

    Pages are written by this package, which escapes what it cites, so their own HTML (pictures) is kept.
    """
    title = markdown.partition("\n")[0].removeprefix("# ")
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return PAGE.format(title=title, style=STYLE, body=body)


def write_pages(pages: Iterable[str], folder: str) -> None:
    """Render every ``<paper>/<table>.md`` to ``<folder>/<paper>/<table>.html``."""
    for page in map(Path, pages):
        write_text(
            Path(folder, page.parent.name, f"{page.stem}.html"), render(page.read_text(encoding="utf-8"))
        )
