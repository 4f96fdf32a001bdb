"""Pieces of a table's page in markdown."""

import html
from collections.abc import Iterable, Sequence

import pandas as pd


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; a bar or a line break within a cell stays within it."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def with_notes(page: str, notes: Sequence[str]) -> str:
    """The page with what a reader must know of its data right under the title."""
    title, _, rest = page.partition("\n")
    return "\n".join([title, *(f"\n**{note}**" for note in notes), rest])


def plain(text: str) -> str:
    """Text of others, such as a caption with ``<PERSON>`` in it, which is no markup of the page."""
    return html.escape(text, quote=False)


def percent(share: float, *, decimals: int = 1) -> str:
    """A share in [0, 1] as percent without the sign; a dash if it is undefined."""
    return number(100 * share, decimals=decimals)


def number(value: float, *, decimals: int = 3, sign: str = "") -> str:
    """A number with so many decimals, ``sign="+"`` always with its sign; a dash if it is undefined."""
    return "-" if pd.isna(value) else f"{value:{sign}.{decimals}f}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
