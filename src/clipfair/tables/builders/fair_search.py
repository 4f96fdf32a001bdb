"""The hyperparameter search of the FairCLIP reproduction: every trial, the best, what they hang on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from clipfair.console import UserError
from clipfair.tables.page import markdown_table, number, percent

COLUMNS = ["number", "state", "value"]
COMPLETE = "COMPLETE"
SHOWN = 5

INTRO = (
    "Trials by best validation AUC over their epochs. Below each search the rank correlation of that AUC "
    "with the logarithm of each parameter. The best of many trials is best on this validation split: its "
    "AUC is too good by selection, and says nothing until it is trained again with other seeds."
)
# What the reproduction's job files use after its own searches.
CHOSEN = (
    "The reproduction's job files use λ 0.07 and learning rate 1.49e-5 for A-FairCLIP, 200 and 1.97e-6 "
    "for Gaussian, 500 and 3.95e-7 for Laplacian MMD (names of its job files; 150 trials, ViT-B/16)."
)


def build(searches: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """The trials of every search.

    Parameters
    ----------
    searches
        Search -> its trials.csv: ``number``, ``state`` (COMPLETE, PRUNED, FAIL, RUNNING), ``value`` (best
        validation AUC in [0, 1]) and a column ``params_<name>`` for each parameter.

    Returns
    -------
    One line per trial: ``search``, ``number``, ``state``, ``value``, the parameters, ``rank`` (1 is best;
    none for a trial that did not end); and the page.

    Raises
    ------
    UserError
        If a file lacks a column or no trial of it has ended.
    """
    parts = []
    for name, path in searches.items():
        trials = pd.read_csv(path).rename(columns=lambda column: column.removeprefix("params_"))
        lacking = [column for column in COLUMNS if column not in trials]
        if lacking or not (trials["state"] == COMPLETE).any():
            wrong = f"no column {lacking[0]!r}" if lacking else "no trial has ended"
            raise UserError(f"{path}: {wrong}; run the search again")
        ended = trials["value"].where(trials["state"] == COMPLETE)
        parameters = [column for column in ("lam", "lr") if column in trials]
        chosen = trials[[*COLUMNS, *parameters]].assign(rank=ended.rank(ascending=False, method="first"))
        parts.append(chosen.assign(search=name, value=ended))
    table = pd.concat(parts, ignore_index=True)
    table = table[["search", *table.columns.drop("search")]]
    return table, _page(table)


def _page(table: pd.DataFrame) -> str:
    lines = ["# Hyperparameter search", "", INTRO, "", CHOSEN]
    for search, trials in table.groupby("search", sort=False):
        parameters = [name for name in ("lam", "lr") if name in trials and trials[name].notna().any()]
        best = trials.dropna(subset=["rank"]).sort_values("rank").head(SHOWN)
        rows = [
            [str(line.number), percent(line.value, decimals=2)]
            + [f"{getattr(line, name):.3g}" for name in parameters]
            for line in best.itertuples()
        ]
        counts = ", ".join(f"{n} {state.lower()}" for state, n in trials["state"].value_counts().items())
        ranks = ", ".join(f"{name}: {number(_rho(trials, name), sign='+')}" for name in parameters)
        head = ["trial", "validation AUC (%)", *parameters]
        lines += ["", f"## {search}", "", *markdown_table(head, rows)]
        lines += ["", f"Trials: {counts}. Rank correlation with AUC: {ranks}."]
    return "\n".join(lines) + "\n"


def _rho(trials: pd.DataFrame, parameter: str) -> float:
    known = trials.dropna(subset=["value", parameter])
    if len(known) < 3 or known["value"].nunique() < 2 or known[parameter].nunique() < 2:
        return np.nan
    return float(stats.spearmanr(known["value"], known[parameter]).statistic)
