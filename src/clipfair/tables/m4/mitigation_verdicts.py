"""Comparison of mitigations with the published Table 5 by three rules, each with its power.

Every rule compares a difference from the published value with its standard uncertainty, and calls a cell
reproduced within two of them (:mod:`clipfair.tables.common.compare`). The published ± has no definition in
the paper; it is taken as the standard error of the published mean. If it is a standard deviation over
repeats, the true uncertainty is smaller and the rules are too lenient.

========== ============================= ==================================================================
prefix     compared                      our uncertainty
========== ============================= ==================================================================
(none)     our mean                      of the mean over the repeats, std / sqrt(n)
paired     mean difference to the        of that mean; the difference is taken within each repeat, so the
           baseline                      variation of the split cancels
one_split  our mean                      of one repeat, std: right if the published value is of one split
========== ============================= ==================================================================

The power of a rule: ``matches_of_others`` is the number of published values of *other* methods in the same
column of the paper that the rule would also call reproduced, ``others`` the number of such values.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import summarise_runs
from clipfair.tables.common.compare import KEY, NOT_COMPARABLE, REPRODUCED, ROUNDING_STD, compare
from clipfair.tables.m4.mitigation_records import CELL

BASELINE = "Baseline"
# Prefix of the columns of a rule -> the rule in words.
RULES = {"": "means", "paired_": "paired differences to the baseline", "one_split_": "one split"}


def compare_with_published(
    repeats: pd.DataFrame, published: pd.DataFrame, rows: Mapping[str, str | None], settings: Mapping
) -> pd.DataFrame:
    """Compare every cell with the published one by the three rules.

    Parameters
    ----------
    repeats
        Of :func:`~clipfair.tables.m4.mitigation_records.read_repeats`.
    published
        Of :func:`~clipfair.tables.common.compare.read_published`.
    rows
        Method -> published row, None where there is none.
    settings
        ``tasks`` (each with its ``published`` dataset) and ``incomparable`` of the table.

    Returns
    -------
    One row per task, method and metric: the columns of :func:`~clipfair.tables.common.compare.compare` for
    the means, ``matches_of_others`` and ``others``; ``paired_mean``, ``paired_std``,
    ``paired_published_mean``, ``paired_published_std``, ``paired_difference``, ``paired_combined_std``,
    ``paired_deviations``, ``paired_verdict``, ``paired_matches_of_others`` and ``paired_others``; and
    ``one_split_verdict``, ``one_split_matches_of_others`` and ``one_split_others``.
    """
    incomparable = settings["incomparable"]
    datasets = {name: task["published"] for name, task in settings["tasks"].items()}
    ours = _with_places(summarise_runs(repeats, CELL), datasets, rows)
    means = _judge(ours, published, incomparable, of_means=True)
    one_split = _judge(ours, published, incomparable)[[*CELL, "verdict", "matches_of_others", "others"]]
    paired = _judge_paired(repeats, published, rows, datasets, incomparable)
    compared = means.merge(_prefixed(paired, "paired_"), on=CELL, how="left")
    verdicts = compared["paired_verdict"].astype(object)
    without = f"{NOT_COMPARABLE}: {incomparable or 'no published difference to the baseline'}"
    compared["paired_verdict"] = verdicts.where(verdicts.notna(), without)
    return compared.merge(_prefixed(one_split, "one_split_"), on=CELL)


def count_verdicts(compared: pd.DataFrame, prefix: str) -> tuple[int, int, int, int]:
    """Count the cells that a rule calls reproduced, and its matches with the values of other methods.

    Returns
    -------
    Cells reproduced, cells judged, pairs of our value and another method's published value that the rule
    would call reproduced, and all such pairs.
    """
    judged = compared[~compared[f"{prefix}verdict"].str.startswith(NOT_COMPARABLE)]
    return (
        int((judged[f"{prefix}verdict"] == REPRODUCED).sum()),
        len(judged),
        int(judged[f"{prefix}matches_of_others"].sum()),
        int(judged[f"{prefix}others"].sum()),
    )


def differences_to_baseline(repeats: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """``repeats`` of all other methods with ``value`` less the baseline's of the same seed."""
    chosen = repeats["row"] == baseline
    own = repeats[chosen].drop(columns="row").rename(columns={"value": "baseline"})
    paired = repeats[~chosen].merge(own, on=["task", "metric", "seed"])
    return paired.assign(value=paired["value"] - paired["baseline"]).drop(columns="baseline")


def published_differences(published: pd.DataFrame) -> pd.DataFrame:
    """``published`` of all other rows less the baseline's; the two errors are taken as independent."""
    chosen = published["published_row"] == BASELINE
    own = published[chosen][["published_dataset", "metric", "published_mean", "published_std"]]
    pairs = published[~chosen].merge(own, on=["published_dataset", "metric"], suffixes=("", "_baseline"))
    return pairs.assign(
        published_mean=pairs["published_mean"] - pairs["published_mean_baseline"],
        published_std=np.hypot(pairs["published_std"], pairs["published_std_baseline"]),
    ).drop(columns=["published_mean_baseline", "published_std_baseline"])


def _judge_paired(
    repeats: pd.DataFrame,
    published: pd.DataFrame,
    rows: Mapping[str, str | None],
    datasets: Mapping[str, str | None],
    incomparable: str,
) -> pd.DataFrame:
    """Judge the methods that have a published row other than the baseline's; empty without a baseline."""
    baseline = next((row for row, name in rows.items() if name == BASELINE), "")
    methods = {row: name for row, name in rows.items() if name not in (None, BASELINE)}
    differences = differences_to_baseline(repeats, baseline)
    chosen = differences[differences["row"].isin(methods)]
    ours = _with_places(summarise_runs(chosen, CELL), datasets, methods)
    judged = _judge(
        ours,
        published_differences(published),
        incomparable,
        rounding_std=np.sqrt(2) * ROUNDING_STD,
        of_means=True,
    )
    return judged.drop(columns=["published_dataset", "published_row", "published_source", "n"])


def _judge(
    ours: pd.DataFrame,
    published: pd.DataFrame,
    incomparable: str,
    *,
    rounding_std: float = ROUNDING_STD,
    of_means: bool = False,
) -> pd.DataFrame:
    """The comparison by one rule, with ``matches_of_others`` and ``others``."""
    rule = {"rounding_std": rounding_std, "of_means": of_means}
    compared = compare(ours, published, incomparable=incomparable, **rule)
    pairs = ours.rename(columns={"published_row": "own"}).merge(
        published[KEY], on=["published_dataset", "metric"]
    )
    mismatched = compare(
        pairs[pairs["own"].notna() & (pairs["published_row"] != pairs["own"])], published, **rule
    )
    counted = mismatched.assign(matches=mismatched["verdict"] == REPRODUCED).groupby(CELL)["matches"]
    power = counted.agg(matches_of_others="sum", others="count").reset_index()
    return compared.merge(power, on=CELL, how="left")


def _with_places(
    summary: pd.DataFrame, datasets: Mapping[str, str | None], rows: Mapping[str, str | None]
) -> pd.DataFrame:
    """``summary`` with the columns published_dataset and published_row after those of the cell."""
    placed = summary.copy()
    placed.insert(3, "published_dataset", placed["task"].map(datasets))
    placed.insert(4, "published_row", placed["row"].map(rows))
    return placed


def _prefixed(frame: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return frame.rename(columns=lambda name: name if name in CELL else f"{prefix}{name}")
