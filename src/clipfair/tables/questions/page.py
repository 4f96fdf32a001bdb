"""The page of a question: its answer, the claims with their verdicts, and the secondary values."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from clipfair.tables.common.markdown import estimate_with_interval, markdown_table, number, p_value_text
from clipfair.tables.questions.measures import FLOOR, MEASURES, POINTS, describe, show, show_interval

# What the page shows of the values; the csv has all.
SHOWN = [
    *("auc", "worst_auc", "matched_dpd", "matched_deodds", "auc_gap", "mean_dpd"),
    *("parity", "association", "classification", "retrieval"),
]
FLOORS_SHOWN = ["matched_dpd_floor"]
CLAIMS = (
    "A difference is `of` less `less` within a unit; its interval is a 95% t interval over units. p: of the "
    "exact sign-flip test and of TOST against the margin, after Holm's correction within the family."
)
SECONDARY = "Means over units with 95% t intervals. Secondary: no verdict."


def question_page(settings: Mapping, text: str, parts: Mapping[str, pd.DataFrame]) -> str:
    """The page of a table of :mod:`~.question`; ``text`` is the answer, ``parts`` the parts of its table."""
    planned, name = settings["planned"], settings["question"]
    lines = [
        f"# {name}. {planned['question']}",
        "",
        f"**{text}**",
        "",
        f"*Hypothesis.* {planned['hypothesis']}",
    ]
    lines += ["", f"*Refuted.* {planned['refuted']}", "", "## Claims", "", CLAIMS]
    for family, claims in parts["claims"].groupby("family", sort=False):
        lines += ["", f"Family `{family}`:", "", *claims_table(claims)]
    lines += [*_levelling(parts["claims"]), *_shares(parts["claims"])]
    lines += _checks(parts["worlds"])
    lines += values_sections(parts["values"], settings)
    lines += _correlations(parts["correlations"])
    lines += _chosen(parts["chosen"])
    lines += _variance(parts["variance"])
    return "\n".join(lines) + "\n"


CLAIM_HEAD = [
    *("claim", "world", "metric", "of", "less", "n", "difference [95%]", "halves", "p", "p TOST", "margin"),
    "verdict",
]


def claims_table(claims: pd.DataFrame) -> list[str]:
    """The claims of a family with their numbers and verdicts."""
    rows = []
    for row in claims.itertuples():
        halves = f"{show(row.first_half, row.unit, sign='+')}, {show(row.second_half, row.unit, sign='+')}"
        missing = f" ({row.missing:.0f} missing)" if row.missing else ""
        cells = [row.claim, row.world, row.metric, row.of, row.less, f"{row.n:.0f}{missing}"]
        cells += [show_interval(row.mean, row.low, row.high, row.unit, sign="+"), halves]
        cells += [_p(row.p_difference), _p(row.p_equivalence), f"{row.margin:g}", f"**{row.verdict}**"]
        rows.append(cells)
    return markdown_table(CLAIM_HEAD, rows)


def _p(value: float) -> str:
    return "-" if pd.isna(value) else p_value_text(value)


def _shares(claims: pd.DataFrame) -> Iterator[str]:
    """The part of the published gains that each difference amounts to."""
    if "share" not in claims:
        return
    rows = [
        [
            row.claim,
            row.of,
            row.less,
            row.metric,
            estimate_with_interval(row.share, row.share_low, row.share_high),
        ]
        for row in claims.dropna(subset=["share"]).itertuples()
    ]
    yield from ("", "## Shares of the published gain", "")
    yield "1 is the gain that FairCLIP reports for this metric; of a switch, the part that it takes away."
    yield from ("", *markdown_table(["claim", "of", "less", "metric", "share [95%]"], rows))


def _levelling(claims: pd.DataFrame) -> Iterator[str]:
    """A line on the worst group for each gap that closes."""
    for row in claims[claims["levelling_down"].astype(bool)].itertuples():
        change = show(row.worst_auc, POINTS, sign="+")
        yield ""
        yield f"{row.claim} is closed by levelling down: the worst group's AUC changes by {change} points."


def _checks(checks: pd.DataFrame) -> Iterator[str]:
    if checks.empty:
        return
    rows = [
        [
            row.world,
            describe(row.metric).name,
            show_interval(row.mean, row.low, row.high, POINTS),
            f"{row.limit:g}",
            "passes" if row.passes else "**fails**",
        ]
        for row in checks.itertuples()
    ]
    yield from ("", "## Checks of the worlds", "")
    yield "Plain fine-tuning; in the fair world less the sampling floor, where the upper end counts."
    yield from ("", *markdown_table(["world", "metric", "mean [95%]", "limit", ""], rows))


def values_sections(values: pd.DataFrame, settings: Mapping) -> Iterator[str]:
    """The values of the first attribute and the differences from the baselines, a table of each per world."""
    first = settings["attributes"][0]
    shown = values[values["attribute"].isin(["", first]) & values["measure"].isin([*SHOWN, *FLOORS_SHOWN])]
    measures = [name for name in (*SHOWN, *FLOORS_SHOWN) if name in set(shown["measure"])]
    for world, of_world in shown.groupby("world", sort=False):
        yield from ("", f"## Values in {world}", "", SECONDARY, "")
        yield from _table(of_world, measures, ("mean", "low", "high"), "")
        less = of_world[of_world["baseline"].notna()] if "baseline" in of_world else of_world.iloc[:0]
        if len(less):
            names = {method: entry["name"] for method, entry in settings["rows"].items()}
            less = less.assign(row=less["row"] + " less " + less["baseline"].map(names))
            yield from ("", f"## Differences in {world}", "", SECONDARY, "")
            kept = [name for name in measures if not name.endswith(FLOOR)]
            yield from _table(less, kept, ("difference", "difference_low", "difference_high"), "+")


def _table(
    cells: pd.DataFrame, measures: Sequence[str], columns: tuple[str, str, str], sign: str
) -> list[str]:
    found = {
        (row.row, row.measure): show_interval(
            *(getattr(row, column) for column in columns), row.unit, sign=sign
        )
        for row in cells.itertuples()
    }
    rows = [[row, *(found.get((row, name), "-") for name in measures)] for row in dict.fromkeys(cells["row"])]
    return markdown_table(["method", *(_heading(name) for name in measures)], rows)


def _heading(measure: str) -> str:
    better = {"lower": " (lower is better)", "higher": " (higher is better)", "": ""}
    return describe(measure).name + ("" if measure.endswith(FLOOR) else better[describe(measure).better])


def _correlations(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    measures = list(dict.fromkeys(table["measure"]))
    for world, of_world in table.groupby("world", sort=False):
        found = {
            (row.distance, row.measure): show_interval(row.mean, row.low, row.high, "", sign="+")
            for row in of_world.itertuples()
        }
        rows = [
            [MEASURES[distance].name, *(found[distance, measure] for measure in measures)]
            for distance in dict.fromkeys(of_world["distance"])
        ]
        yield from ("", f"## Rank correlations in {world}", "")
        yield "Spearman's, over the models of a unit; means over units with 95% t intervals."
        yield from ("", *markdown_table(["distance", *(MEASURES[name].name for name in measures)], rows))


def _chosen(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    rows = [[row.world, row.row, row.chosen, row.unchanged_up_to or "none"] for row in table.itertuples()]
    yield from ("", "## λ", "")
    yield (
        "Chosen on validation, with the number of units. Up to the last λ, AUC, matched DPD, matched DEOdds "
        "and AUC gap are each equivalent to plain fine-tuning (TOST at the plan's level, uncorrected)."
    )
    yield from ("", *markdown_table(["world", "method", "chosen: units", "nothing changes up to"], rows))


def _variance(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    rows = [
        [
            *(row.world, row.row, MEASURES[row.measure].name),
            show_interval(row.mean, row.low, row.high, describe(row.measure).unit),
            *(number(row.share, decimals=2), str(row.n)),
        ]
        for row in table.itertuples()
    ]
    yield from (
        "",
        "## Draws and seeds",
        "",
        "Draws with two seeds: the mean with a 95% bootstrap interval that resamples draws, then seeds, and "
        "the share of the variance that is due to draws.",
    )
    head = ["world", "method", "metric", "mean [95%]", "share of draws", "draws"]
    yield from ("", *markdown_table(head, rows))
