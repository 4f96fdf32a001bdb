"""Table 5 of CLIP the Bias: bias mitigation methods on tables (Appendix A.2.4)."""

from collections.abc import Iterable, Mapping

import pandas as pd

from clipfair.tables.common.compare import REPRODUCED, read_published
from clipfair.tables.common.markdown import markdown_table, mean_and_std
from clipfair.tables.m4.mitigation_records import CELL, METRICS, read_repeats
from clipfair.tables.m4.mitigation_verdicts import RULES, compare_with_published, count_verdicts


def build(
    records: Iterable[str], published: str, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Mean and standard deviation of the metrics of every mitigation on every task.

    Parameters
    ----------
    records
        metrics.json files of ``evaluate_mitigation``.
    published
        The paper's numbers (csv).
    settings
        ``tasks`` and ``rows`` (method -> published row) in order, ``seeds``, ``published`` (table).

    Returns
    -------
    The tidy table (task, row, metric, mean, std, n; percent, standard deviation with ddof 1 over
    the repeats), its comparison with the published values
    (:func:`~clipfair.tables.m4.mitigation_verdicts.compare_with_published`), and the page.

    Raises
    ------
    UserError
        If a repeat is missing from the records.
    """
    repeats = read_repeats(records, settings)
    values = read_published(published, settings["published"])
    compared = compare_with_published(repeats, values, settings["rows"], settings)
    return compared[[*CELL, "mean", "std", "n"]], compared, render(compared, settings)


def verdict_counts(compared: pd.DataFrame) -> list[str]:
    """One line of markdown per rule: the number of cells reproduced, and the power of the rule."""
    lines = []
    for prefix, name in RULES.items():
        reproduced, cells, matches, pairs = count_verdicts(compared, prefix)
        lines.append(
            f"- {name}: {reproduced} of {cells} cells reproduced; of {pairs} pairs of our value and another "
            f"method's published value, {matches} would be called reproduced, too."
        )
    return lines


def render(compared: pd.DataFrame, settings: Mapping) -> str:
    """The table as in the paper, the paired differences, and the counts of verdicts."""
    repeats = len(settings["seeds"])
    lines = [
        "# Table 5 of CLIP the Bias: bias mitigation on tables",
        "",
        f"Mean ± standard deviation over {repeats} repeats, in percent; in brackets the published value, "
        "bold where the two means agree within two standard errors of their difference.",
        "",
        *_rows(compared, settings, "", compared.index),
        "",
        "Difference to the baseline of the same split, mean ± standard error; in brackets the published "
        "difference of means, bold where both agree within two standard errors.",
        "",
        *_rows(compared, settings, "paired_", compared.index[compared["paired_mean"].notna()]),
        "",
        "Verdicts, by rule:",
        "",
        *verdict_counts(compared),
    ]
    return "\n".join(lines) + "\n"


def _rows(compared: pd.DataFrame, settings: Mapping, prefix: str, chosen: pd.Index) -> list[str]:
    """One markdown row per method of ``chosen`` cells, with the columns of the paper."""
    columns = [(task, metric) for task in settings["tasks"] for metric in METRICS]
    cells = {
        tuple(row[name] for name in CELL): _cell(row, prefix) for _, row in compared.loc[chosen].iterrows()
    }
    methods = [row for row in settings["rows"] if any(row == key[1] for key in cells)]
    head = ["method", *(f"{task}: {metric}" for task, metric in columns)]
    return markdown_table(
        head, [[row, *(cells[task, row, metric] for task, metric in columns)] for row in methods]
    )


def _cell(row: pd.Series, prefix: str) -> str:
    spread = row[f"{prefix}std"] / (row["n"] ** 0.5 if prefix else 1)
    ours = mean_and_std(row[f"{prefix}mean"], spread)
    if pd.isna(row[f"{prefix}published_mean"]):
        return ours
    published = f"({mean_and_std(row[f'{prefix}published_mean'], row[f'{prefix}published_std'])})"
    return f"**{ours}** {published}" if row[f"{prefix}verdict"] == REPRODUCED else f"{ours} {published}"
