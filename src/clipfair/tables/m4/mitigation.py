"""Table 5 of CLIP the Bias: bias mitigation methods on tables (Appendix A.2.4)."""

from collections.abc import Iterable, Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.io import read_json
from clipfair.tables.common.compare import REPRODUCED, compare, read_published
from clipfair.tables.common.markdown import markdown_table, mean_and_std

# The paper's column -> the metric in metrics.json. All are in percent.
METRICS = {
    "DP": "demographic_parity_difference",
    "Error": "error",
    "Balanced Error": "balanced_error",
}


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
    the repeats), its comparison with the published values, and the page.

    Raises
    ------
    UserError
        If a repeat is missing from the records.
    """
    names = {(task["dataset"], task["sensitive"]): name for name, task in settings["tasks"].items()}
    repeats = pd.concat([_repeats(path, names) for path in records], ignore_index=True)
    _check_complete(repeats, settings)
    ours = _aggregate(repeats, settings)
    compared = compare(
        ours,
        read_published(published, settings["published"]),
        incomparable=settings["incomparable"],
    )
    table = ours.drop(columns=["published_dataset", "published_row"])
    return table, compared, _page(compared, settings)


def _repeats(path: str, names: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    record = read_json(path)
    frame = pd.DataFrame(record["repeats"])[["seed", *METRICS.values()]]
    return frame.assign(task=names[record["dataset"], record["sensitive"]], row=record["method"])


def _check_complete(repeats: pd.DataFrame, settings: Mapping) -> None:
    present = set(repeats[["task", "row", "seed"]].itertuples(index=False, name=None))
    missing = [
        f"{task}/{row}/seed {seed}"
        for task in settings["tasks"]
        for row in settings["rows"]
        for seed in settings["seeds"]
        if (task, row, seed) not in present
    ]
    if missing:
        raise UserError(
            f"table {settings['table']}: {len(missing)} repeats are missing, first {missing[0]}; "
            "run snakemake on the table again"
        )


def _aggregate(repeats: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    named = repeats.rename(columns={name: metric for metric, name in METRICS.items()})
    long = named.melt(["task", "row", "seed"], list(METRICS), var_name="metric")
    grouped = long.groupby(["task", "row", "metric"])["value"]
    cells = grouped.agg(mean="mean", std="std", n="count")
    order = pd.MultiIndex.from_product(
        [list(settings["tasks"]), list(settings["rows"]), list(METRICS)], names=cells.index.names
    )
    ours = cells.loc[order].reset_index()
    published = {name: task["published"] for name, task in settings["tasks"].items()}
    ours.insert(3, "published_dataset", ours["task"].map(published))
    ours.insert(4, "published_row", ours["row"].map(settings["rows"]))
    return ours


def _page(compared: pd.DataFrame, settings: Mapping) -> str:
    """The table as in the paper: ours, then the published value in brackets if there is one."""
    columns = [(task, metric) for task in settings["tasks"] for metric in METRICS]
    cells = {(r.task, r.row, r.metric): _cell(r) for r in compared.itertuples()}
    lines = [
        "# Table 5 of CLIP the Bias: bias mitigation on tables",
        "",
        f"Mean ± standard deviation over {len(settings['seeds'])} repeats, in percent; "
        "in brackets the published value, bold where ours is within two combined standard deviations.",
    ]
    head = ["method", *(f"{task}: {metric}" for task, metric in columns)]
    rows = [[row, *(cells[task, row, metric] for task, metric in columns)] for row in settings["rows"]]
    return "\n".join([*lines, "", *markdown_table(head, rows)]) + "\n"


def _cell(record) -> str:
    ours = mean_and_std(record.mean, record.std)
    if pd.isna(record.published_mean):
        return ours
    published = f"({mean_and_std(record.published_mean, record.published_std)})"
    return f"**{ours}** {published}" if record.verdict == REPRODUCED else f"{ours} {published}"
