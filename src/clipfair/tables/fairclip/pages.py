"""Pages of the FairCLIP tables: a block per encoder and attribute, published values in brackets."""

from collections.abc import Mapping, Sequence

import pandas as pd

from clipfair.tables.common.compare import REPRODUCED
from clipfair.tables.common.markdown import markdown_table
from clipfair.tables.fairclip.measures import FAIRNESS, GROUP_MEASURES, show_with_std
from clipfair.tables.fairclip.selection import final_values, on_trained_attribute
from clipfair.tables.fairclip.summary import compare_with_published, summarise


def make_group_table(
    records: pd.DataFrame,
    published: pd.DataFrame | None,
    settings: Mapping,
    *,
    kind: str,
    title: str,
    intro: str,
    only_trained: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """A table of group fairness: every method, every attribute's measures.

    Parameters
    ----------
    records, published, settings
        The arguments of a builder.
    kind
        The kind of evaluation.
    only_trained
        Show a method that is trained for an attribute on that attribute only.

    Returns
    -------
    The table of :func:`~.summary.summarise`, its comparison (None if nothing is published), the page.
    """
    table = summarise(final_values(records, settings, kind), settings, GROUP_MEASURES)
    if only_trained:
        table = table[on_trained_attribute(table)].reset_index(drop=True)
    shown = [*FAIRNESS, "accuracy", "selection_rate"]
    return finish_table(table, published, settings, title=title, intro=intro, blocks=[shown])


def finish_table(
    table: pd.DataFrame,
    published: pd.DataFrame | None,
    settings: Mapping,
    *,
    title: str,
    intro: str,
    blocks: Sequence[Sequence[str]],
    groups: bool = True,
    caveat: str = "",
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """Compare a table with the published values and write its page.

    Parameters
    ----------
    table
        The result of :func:`~.summary.summarise`.
    blocks
        Sets of measures; the page has a block for each set and attribute.
    groups
        Whether the page shows values of single groups.
    caveat
        A line at the end of a page with published values.

    Returns
    -------
    The table, its comparison (None if nothing is published), the page.
    """
    own, compared = compare_with_published(table, published, settings)
    shown = own if compared is None else compared
    if not groups:
        shown = shown[shown["group"] == ""]
    found = [block for measures in blocks for block in attribute_blocks(shown, measures)]
    more = [caveat] if caveat and compared is not None else []
    return own, compared, make_page(title, intro, shown, settings, found, more=more)


def make_page(
    title: str,
    intro: str,
    table: pd.DataFrame,
    settings: Mapping,
    blocks: Sequence[tuple[str, Sequence[str]]],
    *,
    more: Sequence[str] = (),
) -> str:
    """The page of a table: title, introduction, then a block per encoder and heading.

    Parameters
    ----------
    table
        A table or its comparison, of :func:`~.summary.compare_with_published`.
    blocks
        Heading and metrics, in order; a block without values is omitted.
    more
        Lines at the end.
    """
    lines = [f"# {title}", "", f"{intro} {_counts(table)}", *baseline_lines(settings)]
    if settings["incomparable"]:
        lines += ["", f"**Not comparable with published values (in brackets): {settings['incomparable']}.**"]
    for encoder, part in table.groupby("encoder", sort=False):
        cells = {(cell.row, cell.metric): _cell(cell) for cell in part.itertuples()}
        for heading, metrics in blocks:
            here = part[part["metric"].isin(metrics)]
            rows, present = dict.fromkeys(here["row"]), set(here["metric"])
            shown = [metric for metric in metrics if metric in present]
            if not shown:
                continue
            head = ["method", *(metric.removeprefix(f"{heading}: ") for metric in shown)]
            body = [[row, *(cells.get((row, metric), "-") for metric in shown)] for row in rows]
            lines += ["", f"## {encoder}: {heading}", "", *markdown_table(head, body)]
    lines += _sources(table)
    lines += ["", *more] if more else []
    return "\n".join(lines) + "\n"


def baseline_lines(settings: Mapping) -> list[str]:
    """A paragraph that names the baseline of every method, in Markdown; empty without ``baselines``."""
    rows, methods_of = settings["rows"], {}
    for method, baseline in settings.get("baselines", {}).items():
        if method in rows:
            methods_of.setdefault(rows[baseline]["name"], []).append(rows[method]["name"])
    named = [f"{baseline} for {', '.join(methods)}" for baseline, methods in methods_of.items()]
    if not named:
        return []
    return ["", f"Baselines (the same training without the fairness loss): {'; '.join(named)}."]


def attribute_blocks(table: pd.DataFrame, measures: Sequence[str]) -> list[tuple[str, list[str]]]:
    """A block ``overall`` and one per attribute, each with its metrics of ``measures`` in the table's order.

    Of single groups, only AUC and distances are shown.
    """
    hidden = (table["group"] != "") & table["measure"].isin(["accuracy", "selection_rate"])
    chosen = table[table["measure"].isin(measures) & ~hidden]
    return [
        (str(attribute) or "overall", list(dict.fromkeys(part["metric"])))
        for attribute, part in chosen.groupby("attribute", sort=False)
    ]


def _cell(cell) -> str:
    ours = show_with_std(cell.mean, cell.std, cell.unit)
    if pd.isna(getattr(cell, "published_mean", None)):
        return ours
    ours = f"**{ours}**" if cell.verdict == REPRODUCED else ours
    return f"{ours} ({show_with_std(cell.published_mean, cell.published_std, cell.unit)})"


def _counts(table: pd.DataFrame) -> str:
    """The number of seeds per cell, and the number of cells that are undefined for some seeds."""
    most, fewer = int(table["n"].max()), int((table["n"] < table["n"].max()).sum())
    rest = f"; {fewer} of {len(table)} cells have fewer (column n of the csv)" if fewer else ""
    # Of rounding alone, the deviation of equal values is about 1e-15.
    largest = table[table["n"] > 1].groupby(["encoder", "row"])["std"].max()
    alike = " The ± 0.00 of a model that is not trained is no variation between trainings."
    return f"n = {most} seed{'s' * (most != 1)} in each cell{rest}.{alike * bool((largest < 1e-9).any())}"


def _sources(table: pd.DataFrame) -> list[str]:
    """The sources of the published values, which differ in reliability."""
    if "published_source" not in table or table["published_source"].isna().all():
        return []
    published = table.dropna(subset=["published_source"])
    rows = [
        [str(source), ", ".join(dict.fromkeys(part["encoder"] + " " + part["published_row"]))]
        for source, part in published.groupby("published_source", sort=False)
    ]
    return ["", "## Sources of the published values", "", *markdown_table(["source", "rows"], rows)]
