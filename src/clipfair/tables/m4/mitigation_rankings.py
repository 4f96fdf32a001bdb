"""Pairwise orders of methods in Table 5: published orders tested on paired repeats."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import holm, mean_interval
from clipfair.metrics.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED
from clipfair.tables.common.compare import LIMIT, NOT_COMPARABLE, ROUNDING_STD, read_published
from clipfair.tables.common.markdown import estimate_with_interval, markdown_table, number, p_value_text
from clipfair.tables.m4.mitigation_records import METRICS, read_repeats

LOWER, HIGHER, NOT_RANKED = "lower", "higher", "not ranked"
LEVEL = 0.05
M4 = "Balancing (M4)"
VERDICTS = [HOLDS, DOES_NOT_HOLD, UNDECIDED, NOT_RANKED]


def build(records: Iterable[str], published: str, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Compare every two methods of the paper in every column.

    A repeat has the same split for all methods, so differences are taken within repeats. Their mean is tested
    by a t-test, with Holm's correction over the pairs of a column. The repeats draw splits of one dataset:
    the test is about the mean over such splits, not about other data.

    Parameters
    ----------
    records, published, settings
        As for :func:`clipfair.tables.m4.mitigation.build`.

    Returns
    -------
    One row per task, metric and pair of methods (``row`` against ``against``): published_difference (row less
    against) with its standard error and published_order; our mean difference with its 95% interval, n, p and
    p_holm, and our order; verdict. No comparison by value. The page.

    An order says that ``row`` is ``lower`` or ``higher``. The published one is ``not ranked`` within two
    standard errors; ours is ``undecided`` unless p_holm is at most 0.05. The verdict is ``not ranked``
    without a published order, ``undecided`` without ours, else ``holds`` or ``does not hold``.

    Raises
    ------
    UserError
        If a repeat is missing from the records.
    """
    repeats = read_repeats(records, settings)
    values = read_published(published, settings["published"])
    values = values.set_index(["published_dataset", "metric", "published_row"])
    table = pd.concat(
        [
            _compare_column(repeats, values, task, metric, settings)
            for task in settings["tasks"]
            for metric in METRICS
        ],
        ignore_index=True,
    )
    return table, None, render(table, settings)


def render(table: pd.DataFrame, settings: Mapping) -> str:
    """The number of orders that hold, by column, and M4 against every other method."""
    counts = [
        [f"{task}: {metric}", *(str(int((column["verdict"] == verdict).sum())) for verdict in VERDICTS)]
        for (task, metric), column in table.groupby(["task", "metric"], sort=False)
    ]
    total = [str(int((table["verdict"] == verdict).sum())) for verdict in VERDICTS]
    m4 = [row for row, name in settings["rows"].items() if name == M4]
    against_m4 = table[table["row"].isin(m4) | table["against"].isin(m4)]
    lines = [
        "# Method against method: the orders of Table 5 of CLIP the Bias",
        "",
        f"Pairs of methods by verdict. {HOLDS}: the published order is ours, too (paired t-test over "
        f"{len(settings['seeds'])} repeats, Holm over the pairs of a column, level {LEVEL}); "
        f"{DOES_NOT_HOLD}: ours is the opposite; {UNDECIDED}: ours is not significant; {NOT_RANKED}: the "
        "published values are within two standard errors.",
        "",
        *markdown_table(["column", *VERDICTS], [*counts, ["all", *total]]),
        "",
        "## M4 less each other method",
        "",
        "In percentage points, with our 95% interval; negative: M4 is lower (better).",
        "",
        *markdown_table(
            ["against", "column", "published", "ours", "p (Holm)", "verdict"],
            [_m4_row(pair, m4) for pair in against_m4.to_dict("records")],
        ),
    ]
    return "\n".join(lines) + "\n"


def _compare_column(
    repeats: pd.DataFrame, published: pd.DataFrame, task: str, metric: str, settings: Mapping
) -> pd.DataFrame:
    """Every pair of the paper's methods in one column, with Holm's correction over these pairs."""
    chosen = repeats[(repeats["task"] == task) & (repeats["metric"] == metric)]
    by_seed = chosen.pivot(index="seed", columns="row", values="value")
    names = {row: name for row, name in settings["rows"].items() if name}
    dataset = settings["tasks"][task]["published"]
    rows = []
    for row, against in combinations(names, 2):
        ours = mean_interval(by_seed[row] - by_seed[against])
        difference, error = _published_difference(published, (dataset, metric), names[row], names[against])
        rows.append(
            {
                "task": task,
                "metric": metric,
                "row": row,
                "against": against,
                "published_difference": difference,
                "published_error": error,
                "published_order": _order(difference, abs(difference) > LIMIT * error, NOT_RANKED),
                "difference": ours.mean,
                "low": ours.low,
                "high": ours.high,
                "n": ours.n,
                "p": ours.p,
            }
        )
    column = pd.DataFrame(rows)
    tested = column["p"].notna()
    column["p_holm"] = np.nan
    column.loc[tested, "p_holm"] = holm(column.loc[tested, "p"])
    column["order"] = [
        _order(entry.difference, entry.p_holm <= LEVEL, UNDECIDED) for entry in column.itertuples()
    ]
    return column.assign(verdict=_verdicts(column, settings["incomparable"]))


def _published_difference(
    published: pd.DataFrame, column: tuple[str | None, str], row: str, against: str
) -> tuple[float, float]:
    """The published difference and its standard error; NaN where the paper lacks a value."""
    keys = [(*column, row), (*column, against)]
    if not all(key in published.index for key in keys):
        return np.nan, np.nan
    first, second = (published.loc[key] for key in keys)
    variance = first["published_std"] ** 2 + second["published_std"] ** 2 + 2 * ROUNDING_STD**2
    return first["published_mean"] - second["published_mean"], np.sqrt(variance)


def _order(difference: float, decided: bool, otherwise: str) -> str:
    if not decided:
        return otherwise
    return LOWER if difference < 0 else HIGHER


def _verdicts(column: pd.DataFrame, incomparable: str) -> list[str]:
    if incomparable:
        return [f"{NOT_COMPARABLE}: {incomparable}"] * len(column)
    return [_verdict(*orders) for orders in zip(column["published_order"], column["order"], strict=True)]


def _verdict(published: str, ours: str) -> str:
    if published == NOT_RANKED or ours == UNDECIDED:
        return NOT_RANKED if published == NOT_RANKED else UNDECIDED
    return HOLDS if ours == published else DOES_NOT_HOLD


def _m4_row(pair: Mapping, m4: list[str]) -> list[str]:
    """One comparison with M4 as the minuend."""
    sign = 1 if pair["row"] in m4 else -1
    low, high = sorted((sign * pair["low"], sign * pair["high"]))
    return [
        pair["against"] if sign > 0 else pair["row"],
        f"{pair['task']}: {pair['metric']}",
        number(sign * pair["published_difference"], decimals=1, sign="+"),
        estimate_with_interval(sign * pair["difference"], low, high),
        p_value_text(pair["p_holm"]),
        pair["verdict"],
    ]
