"""Parts of a table's markdown page."""

import html
import re
from collections.abc import Iterable, Sequence

import pandas as pd

_FIRST_CELL = re.compile(r"^\|((?:\\\||[^|])*)\|")


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a markdown table; bars are escaped and line breaks within a cell removed."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def mark_page(page: str, data: str, notes: Sequence[str]) -> str:
    """Mark a page with the kind of its data, and add notes below its title.

    Parameters
    ----------
    page
        Markdown; its first line is the title.
    data
        The kind of data, such as ``synthetic``. It is added to every heading and to the first cell of every
        table header.
    notes
        Sentences about the data, shown in bold below the title.
    """
    lines = page.split("\n")
    title, *rest = map(_mark_line, lines, [*lines[1:], ""], [data] * len(lines))
    return "\n".join([title, *(f"\n**{note}**" for note in notes), *rest])


def plain(text: str) -> str:
    """Text from a dataset, such as a caption with ``<PERSON>``, escaped so that it is not read as HTML."""
    return html.escape(text, quote=False)


def percent(share: float, *, decimals: int = 1) -> str:
    """A share in [0, 1] in percent, without the sign; a dash if undefined."""
    return number(100 * share, decimals=decimals)


def number(value: float, *, decimals: int = 3, sign: str = "") -> str:
    """A number with ``decimals`` digits after the point, with ``sign="+"`` always signed; a dash if NaN."""
    return "-" if pd.isna(value) else f"{value:{sign}.{decimals}f}"


def mean_and_std(mean: float, std: float, *, scale: float = 1, decimals: int = 1) -> str:
    """``12.3 ± 0.4``; the mean alone if the deviation is undefined."""
    middle = number(scale * mean, decimals=decimals)
    return middle if pd.isna(std) else f"{middle} ± {number(scale * std, decimals=decimals)}"


def estimate_with_interval(value: float, low: float, high: float) -> str:
    """``+1.20 [+0.80, +1.60]``; the value alone if the interval is undefined, a dash if the value is."""
    text = number(value, decimals=2, sign="+")
    return text if pd.isna(low) else f"{text} [{low:+.2f}, {high:+.2f}]"


def p_value_text(p_value: float) -> str:
    """Three decimals; ``1e-07`` below 0.001."""
    return f"{p_value:.0e}" if p_value < 0.001 else number(p_value)


def _mark_line(line: str, following: str, data: str) -> str:
    if line.startswith("#"):
        return f"{line} ({data} data)"
    if following.startswith("| ---"):
        cell = _FIRST_CELL.match(line)
        return f"| {f'{cell[1].strip()} ({data})'.strip()} |{line[cell.end() :]}"
    return line


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
