"""The hyperparameter search of the FairCLIP reproduction: every trial, the best, and correlations."""

from collections.abc import Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.relations import rank_correlation
from clipfair.tables.common.markdown import markdown_table, number, percent

# Columns of the trials that are not parameters.
COLUMNS = ["trial", "value", "reason"]
SHOWN = 5

INTRO = (
    "Trials by best validation AUC over their epochs. Below each search the rank correlation of that AUC "
    "with each parameter. The AUC of the best of many trials is biased upwards by the selection on this "
    "split; a comparison needs trainings with other seeds."
)
# The settings in the reproduction's job files after its own searches.
CHOSEN = (
    "The reproduction searched with 150 trials on ViT-B/16. Its job files then use λ 0.07 and learning rate "
    "1.49e-5 for A-FairCLIP, 200 and 1.97e-6 for Gaussian, 500 and 3.95e-7 for Laplacian MMD."
)


def build(searches: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """The trials of every search.

    Parameters
    ----------
    searches
        Search -> the csv of its trials (:func:`clipfair.train.search.study.read_trials`): ``trial``, the
        parameters, ``value`` (best validation AUC in [0, 1]), ``reason`` where it has none.

    Returns
    -------
    One row per trial: ``search``, ``trial``, the parameters, ``value``, ``reason``, ``rank`` (1 is best;
    NaN for a trial without a value); and the page.

    Raises
    ------
    UserError
        If a file lacks a column or no trial of it has a value.
    """
    table = pd.concat([_read(name, path) for name, path in searches.items()], ignore_index=True)
    return table, _page(table)


def parameters_of(table: pd.DataFrame) -> list[str]:
    """The columns with parameters that a search has values for."""
    others = {"search", "rank", *COLUMNS}
    return [name for name in table if name not in others and table[name].notna().any()]


def _read(name: str, path: str) -> pd.DataFrame:
    trials = pd.read_csv(path)
    lacking = [column for column in COLUMNS if column not in trials]
    if lacking or trials["value"].isna().all():
        wrong = f"no column {lacking[0]!r}" if lacking else "no trial has a value"
        raise UserError(f"{path}: {wrong}; run the search {name!r} again")
    rank = trials["value"].rank(ascending=False, method="first")
    trials.insert(0, "search", name)
    return trials.assign(rank=rank)


def _page(table: pd.DataFrame) -> str:
    lines = ["# Hyperparameter search", "", INTRO, "", CHOSEN]
    for search, trials in table.groupby("search", sort=False):
        parameters = parameters_of(trials)
        best = trials.dropna(subset=["rank"]).sort_values("rank").head(SHOWN)
        rows = [
            [str(trial["trial"]), percent(trial["value"], decimals=2)]
            + [f"{trial[name]:.3g}" for name in parameters]
            for trial in best.to_dict("records")  # the names of parameters have dots
        ]
        ranks = ", ".join(
            f"{name}: {number(rank_correlation(trials, 'value', name), sign='+')}" for name in parameters
        )
        head = ["trial", "validation AUC (%)", *parameters]
        without = int(trials["value"].isna().sum())
        lines += ["", f"## {search}", "", *markdown_table(head, rows), ""]
        lines += [f"{len(trials)} trials, {without} without a value. Rank correlation with AUC: {ranks}."]
    return "\n".join(lines) + "\n"
