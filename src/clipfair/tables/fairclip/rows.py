"""What the tables of the FairCLIP reproduction share: rows of methods, metrics of groups, page, intervals.

A row is a model, a method and the attribute it is trained for; each of its numbers is the mean over
seeds with their standard deviation (ddof 1). A table's own settings say which methods are its rows,
and beside which published row each stands::

    rows:
      clip-ft: {name: CLIP-FT, published: CLIP-FT}
      fairclip: {name: FairCLIP, published: "FairCLIP-{attr}"}
    encoders: {vit-b-16: ViT-B/16}     # model -> its name in print; a model that is not named has its id
    evaluation: fairvlmed-test         # where its grids have several of one kind; a list if its models differ
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from clipfair.core.errors import UserError
from clipfair.core.paths import RUN_LEVELS
from clipfair.tables.common.compare import FINE_ROUNDING_STD, REPRODUCED, compare
from clipfair.tables.common.markdown import markdown_table
from clipfair.tables.common.records import check_complete

NONE = "none"
CONFIDENCE = 0.95
ROW = ["dataset", "balance", "model", "encoder", "row", "method", "attr", "lam"]
CELL = ["metric", "measure", "attribute", "group"]

PERCENT = "%"
# What metrics.json calls a measure -> its name in print and its unit. Shares are given in percent.
MEASURES = {
    "auc": ("AUC", PERCENT),
    "es_auc": ("ES-AUC", PERCENT),
    "dpd": ("DPD", PERCENT),
    "deodds": ("DEOdds", PERCENT),
    "accuracy": ("accuracy", PERCENT),
    "es_accuracy": ("ES-accuracy", PERCENT),
    "selection_rate": ("selection rate", PERCENT),
    "disparity_std": ("disparity (std)", PERCENT),
    "disparity_range": ("disparity (range)", PERCENT),
    "distance_sinkhorn": ("Sinkhorn distance", "score^2"),
    "distance_wasserstein": ("exact distance", "score^2"),
    "distance_scale_free": ("scale-free distance", "1"),
    "distance_laplacian": ("Laplacian MMD", "1"),
    "distance_square_sinkhorn": ("Sinkhorn distance of diag(LL)", "score^2"),
    "distance_square_wasserstein": ("exact distance of diag(LL)", "score^2"),
    "distance_square_scale_free": ("scale-free distance of diag(LL)", "1"),
    "validation_auc": ("validation AUC", PERCENT),
}
FAIRNESS = ("auc", "es_auc", "dpd", "deodds")
GROUP_MEASURES = (
    *FAIRNESS,
    "accuracy",
    "es_accuracy",
    "selection_rate",
    "disparity_std",
    "disparity_range",
)
OVERALL = ("auc", "accuracy", "selection_rate")  # also of everybody, whatever the attribute
DISTANCES = ("distance_sinkhorn", "distance_wasserstein", "distance_scale_free")
# Of the released score, as the published ones are.
SQUARE_DISTANCES = (
    "distance_square_sinkhorn",
    "distance_square_wasserstein",
    "distance_square_scale_free",
)


# --- which runs, which values -----------------------------------------------------------------


def final_values(records: pd.DataFrame, settings: Mapping, kind: str) -> pd.DataFrame:
    """The values of every run of the table's rows, at the end of its training.

    Parameters
    ----------
    records
        What :func:`clipfair.tables.common.records.read_records` gives.
    settings
        The table's; ``rows`` (method -> name and published row) chooses the methods.
    kind
        The kind of evaluation, e.g. ``group_fairness``.

    Returns
    -------
    The run levels, ``metric``, ``label`` and ``group`` (empty where there is none), ``value``, ``n``.

    Raises
    ------
    UserError
        If the grids have no evaluation of this kind or several and none is named, a run is missing, or one
        is evaluated on several that are named.
    """
    evaluations = _evaluations(settings, kind)
    chosen = records[records["evaluation"].isin(evaluations) & records["method"].isin(settings["rows"])]
    asked = {name: _of_rows(grid, settings) for name, grid in settings["grids"].items()}
    check_complete(chosen, {**settings, "grids": asked}, evaluations)
    named = ", ".join(evaluations)
    if chosen.empty:
        methods = ", ".join(settings["rows"])
        raise UserError(
            f"table {settings['table']}: no grid evaluates one of its rows ({methods}) on {named}; "
            "name a grid that does in config.yaml"
        )
    if (chosen.groupby(list(RUN_LEVELS))["evaluation"].nunique() > 1).any():
        raise UserError(
            f"table {settings['table']}: a model is evaluated on several of {named}; name one for each model"
        )
    last = chosen.groupby(list(RUN_LEVELS))["examples"].transform("max")
    final = chosen.loc[chosen["examples"] == last, [*RUN_LEVELS, "metric", "label", "group", "value", "n"]]
    return final.fillna({"label": "", "group": ""}).reset_index(drop=True)


def _of_rows(grid: Mapping, settings: Mapping) -> dict:
    """A grid less the methods that are no row of the table."""
    return {**grid, "methods": [method for method in grid["methods"] if method in settings["rows"]]}


def _evaluations(settings: Mapping, kind: str) -> list[str]:
    of_kind = [name for name, line in settings["evaluations"].items() if line["kind"] == kind]
    named = settings.get("evaluation", of_kind if len(of_kind) == 1 else [])
    chosen = [named] if isinstance(named, str) else list(named or [])
    if not chosen or not set(chosen) <= set(of_kind):
        known = ", ".join(of_kind) or "none"
        raise UserError(
            f"table {settings['table']}: its grids must have one evaluation of kind {kind}, or its settings "
            f"name it (evaluation: <id>); found {', '.join(chosen) or known!r}, of this kind are: {known}"
        )
    return chosen


def with_mean_distances(values: pd.DataFrame) -> pd.DataFrame:
    """``values`` and, for every run and attribute, the mean over groups of each distance (group empty)."""
    distances = values[values["metric"].str.startswith("distance_") & (values["group"] != "")]
    keys = [*RUN_LEVELS, "metric", "label"]
    means = distances.groupby(keys, sort=False).agg(value=("value", "mean"), n=("n", "sum")).reset_index()
    return pd.concat([values, means.assign(group="")], ignore_index=True)


def targets(attr: str) -> set[str]:
    """The attributes that a method is trained for: ``race-gender`` is both, ``none`` none."""
    return set(re.split(r"[^a-z]+", attr)) - {NONE}


def on_target(frame: pd.DataFrame, attribute: str = "attribute") -> pd.Series:
    """Whether a line is of an attribute that its method is trained for; all are, if it is for none."""
    kept = [
        not measured or not targets(attr) or measured in targets(attr)
        for attr, measured in zip(frame["attr"], frame[attribute], strict=True)
    ]
    return pd.Series(kept, index=frame.index, dtype=bool)


def check_single(values: pd.DataFrame, settings: Mapping) -> None:
    """Refuse a method that was trained with several strengths, or on several data, for one attribute.

    Raises
    ------
    UserError
        If a table that compares methods has such a one.
    """
    for (method, attr), runs in values.groupby(["method", "attr"], sort=False):
        for level in ("dataset", "balance", "lam"):
            found = sorted(set(runs[level]))
            if len(found) > 1:
                raise UserError(
                    f"table {settings['table']}: method {method} (attr {attr}) has several of {level}: "
                    f"{', '.join(found)}; name grids with one of them in config.yaml"
                )


# --- means over seeds -------------------------------------------------------------------------


def summarise(values: pd.DataFrame, settings: Mapping, measures: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every measure of every row.

    Returns
    -------
    One line per row (the run levels less the seed; ``encoder`` and ``row``, its model and method in
    print) and metric (its name in print, unique within a row; ``measure``, ``attribute`` and ``group``
    say what it is made of): ``unit``, ``mean``, ``std`` (ddof 1), ``n`` (seeds with a value), ``size``
    (examples that it is measured on), ``published_dataset``, ``published_row``.
    """
    chosen = values[values["metric"].isin(measures)]
    keys = [*RUN_LEVELS[:-1], "metric", "label", "group"]
    cells = chosen.groupby(keys, sort=False).agg(
        mean=("value", "mean"), std=("value", "std"), n=("value", "count"), size=("n", "max")
    )
    cells = cells.reset_index().rename(columns={"metric": "measure", "label": "attribute"})
    names, units = (cells["measure"].map({key: MEASURES[key][place] for key in measures}) for place in (0, 1))
    scale = np.where(units == PERCENT, 100.0, 1.0)
    cells["mean"], cells["std"] = cells["mean"] * scale, cells["std"] * scale
    cells["unit"] = units
    cells["metric"] = [
        metric_name(*parts) for parts in zip(cells["attribute"], names, cells["group"], strict=True)
    ]
    cells = cells.assign(**describe_rows(cells, settings))
    ordered = in_order(
        cells,
        {
            "model": list(settings.get("encoders", {})),
            "method": list(settings["rows"]),
            "attr": attrs_of(settings),
            "dataset": [],
            "balance": [],
            "lam": sorted(set(cells["lam"]), key=float, reverse=True),
            "attribute": [""],
            "measure": list(measures),
        },
    )
    columns = [*ROW, *CELL, "unit", "mean", "std", "n", "size", "published_dataset", "published_row"]
    return ordered[columns]


def metric_name(attribute: str, measure: str, group: str) -> str:
    """``race: AUC asian``: a metric in print, as the published tables spell it too."""
    return f"{attribute}: {measure} {group}".removeprefix(": ").rstrip()


def describe_rows(cells: pd.DataFrame, settings: Mapping) -> dict[str, list]:
    """The names of rows in print, and of the published rows beside them.

    What a method is trained on and with is told where it has several.
    """
    rows = settings["rows"]
    told = {"dataset": "on {}", "balance": "{}", "lam": "λ = {}"}
    alike = cells.groupby(["model", "method", "attr"])
    several = pd.DataFrame({level: alike[level].transform("nunique") > 1 for level in told})
    named, published = [], []
    for line, differs in zip(cells.itertuples(), several.itertuples(), strict=True):
        parts = [] if line.attr == NONE else [line.attr]
        parts += [told[level].format(getattr(line, level)) for level in told if getattr(differs, level)]
        name, beside = rows[line.method]["name"], rows[line.method].get("published")
        named.append(f"{name} ({', '.join(parts)})" if parts else name)
        published.append(beside.format(attr=line.attr) if beside else None)
    printed = [name_of(model, settings) for model in cells["model"]]
    return {"row": named, "encoder": printed, "published_row": published, "published_dataset": printed}


def attrs_of(settings: Mapping) -> list[str]:
    """What methods are trained for, in the order of the grids; none first."""
    return [NONE, *(attr for grid in settings["grids"].values() for attr in grid["attrs"])]


def name_of(model: str, settings: Mapping) -> str:
    """A model's name in print."""
    return settings.get("encoders", {}).get(model, model)


def in_order(frame: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Sort by several columns, each by a list of values; what a list lacks follows as it appears."""
    keys = []
    for column, order in orders.items():
        places = {value: place for place, value in enumerate(dict.fromkeys([*order, *frame[column]]))}
        keys.append(frame[column].map(places).to_numpy())
    return frame.iloc[np.lexsort(keys[::-1])].reset_index(drop=True)


def beside_published(
    table: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The table without its links to the published one, and the two beside each other.

    Without a published table there is nothing to compare: None.
    """
    own = table.drop(columns=["published_dataset", "published_row"])
    if published is None:
        return own, None
    compared = compare(
        table, published, incomparable=settings["incomparable"], rounding_std=FINE_ROUNDING_STD
    )
    return own, compared


# --- differences and their intervals ----------------------------------------------------------


class Interval(NamedTuple):
    """A mean with its confidence interval, the number of values it is of, and the p-value of zero."""

    mean: float
    low: float
    high: float
    n: int
    p: float


def mean_interval(values: Iterable[float]) -> Interval:
    """The mean of ``values`` with its t interval at 95% and the two-sided p-value of the mean being zero.

    Undefined values are left out. The interval needs two values; values that are all equal have one of no
    width, and no p unless they are zero: they can be one model, which stands for every seed.
    """
    array = np.asarray(list(values), dtype=float)
    array = array[~np.isnan(array)]
    n = len(array)
    mean = float(array.mean()) if n else np.nan
    if n < 2:
        return Interval(mean, np.nan, np.nan, n, np.nan)
    error = float(array.std(ddof=1) / np.sqrt(n))
    if error == 0:
        return Interval(mean, mean, mean, n, 1.0 if mean == 0 else np.nan)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return Interval(mean, mean - half, mean + half, n, p)


def log10(values: pd.Series) -> pd.Series:
    """Decimal logarithms; NaN for what is not positive (a distance that did not converge can be negative)."""
    return np.log10(values.where(values > 0))


def per_seed(
    values: pd.DataFrame,
    method: str,
    measure: str,
    *,
    on: Iterable[str] | None = None,
    attr: Iterable[str] | None = None,
) -> pd.Series:
    """One number per seed of a method: a measure on the attributes that it is trained for.

    It is the mean over its runs (one for each attribute trained for), attributes and groups. Measures of
    all examples (no attribute) count as they are.

    Parameters
    ----------
    values
        What :func:`final_values` gives.
    on
        Measured on these attributes instead.
    attr
        Only the runs that are trained for these.
    """
    chosen = values[(values["method"] == method) & (values["metric"] == measure)]
    if attr is not None:
        chosen = chosen[chosen["attr"].isin(list(attr))]
    if measure.startswith("distance_"):
        chosen = chosen[chosen["group"] != ""]
    elif measure in OVERALL:
        chosen = chosen[(chosen["label"] == "") & (chosen["group"] == "")]
    else:
        chosen = chosen[chosen["group"] == ""]
    if measure not in OVERALL:
        kept = on_target(chosen, "label") if on is None else chosen["label"].isin(list(on))
        chosen = chosen[kept]
    # First within each run and attribute: an attribute with more groups counts no more than another.
    by_attribute = chosen.groupby(["seed", "attr", "label"])["value"].mean()
    return by_attribute.groupby("seed").mean()


def shared_attrs(values: pd.DataFrame, method: str, other: str) -> list[str]:
    """What both methods are trained for, run by run: only these runs can be compared in pairs."""
    ours, theirs = (set(values.loc[values["method"] == name, "attr"]) for name in (method, other))
    return sorted(ours & theirs)


# --- the page ---------------------------------------------------------------------------------


def make_group_table(
    records: pd.DataFrame,
    published: pd.DataFrame | None,
    settings: Mapping,
    *,
    kind: str,
    title: str,
    intro: str,
    per_target: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """A table of group fairness: every method against every attribute's measures.

    Parameters
    ----------
    records, published, settings
        What a builder is given.
    kind
        The kind of evaluation.
    per_target
        Show a method trained for an attribute on that attribute only.

    Returns
    -------
    The table of :func:`summarise`, the same beside the published values (None if there are none), the page.
    """
    values = final_values(records, settings, kind)
    table = summarise(values, settings, GROUP_MEASURES)
    if per_target:
        table = table[on_target(table)].reset_index(drop=True)
    own, compared = beside_published(table, published, settings)
    shown = own if compared is None else compared
    blocks = attribute_blocks(shown, [*FAIRNESS, "accuracy", "selection_rate"])
    return own, compared, make_page(title, intro, shown, settings, blocks)


def make_page(
    title: str,
    intro: str,
    table: pd.DataFrame,
    settings: Mapping,
    blocks: Sequence[tuple[str, Sequence[str]]],
    *,
    more: Sequence[str] = (),
) -> str:
    """The table for people: below the title what must be known, then a block per encoder and heading.

    Parameters
    ----------
    table
        The table, or what :func:`beside_published` made of it.
    blocks
        Heading and metrics, in order; a block without any value is left out.
    more
        Lines at the end.
    """
    lines = [f"# {title}", "", f"{intro} {_counts(table)}"]
    if settings["incomparable"]:
        lines += ["", f"**Not comparable with published values (in brackets): {settings['incomparable']}.**"]
    for encoder, part in table.groupby("encoder", sort=False):
        cells = {(line.row, line.metric): _cell(line) for line in part.itertuples()}
        for heading, metrics in blocks:
            here = part[part["metric"].isin(metrics)]
            rows, present = dict.fromkeys(here["row"]), set(here["metric"])
            shown = [metric for metric in metrics if metric in present]
            if not shown:
                continue
            head = ["method", *(metric.removeprefix(f"{heading}: ") for metric in shown)]
            body = [[row, *(cells.get((row, metric), "-") for metric in shown)] for row in rows]
            lines += ["", f"## {encoder}: {heading}", "", *markdown_table(head, body)]
    lines += _provenance(table)
    lines += ["", *more] if more else []
    return "\n".join(lines) + "\n"


def attribute_blocks(table: pd.DataFrame, measures: Sequence[str]) -> list[tuple[str, list[str]]]:
    """A block ``overall`` and one per attribute, each with the metrics of ``measures`` in the table's order.

    Of groups only AUC and distances are shown.
    """
    hidden = (table["group"] != "") & table["measure"].isin(["accuracy", "selection_rate"])
    chosen = table[table["measure"].isin(measures) & ~hidden]
    return [
        (str(attribute) or "overall", list(dict.fromkeys(part["metric"])))
        for attribute, part in chosen.groupby("attribute", sort=False)
    ]


def show(value: float, unit: str) -> str:
    """A number of a table: percent with two decimals, others with three significant digits."""
    if pd.isna(value):
        return "-"
    return f"{value:.2f}" if unit == PERCENT else f"{value:.3g}"


def spread(mean: float, std: float, unit: str) -> str:
    """``69.44 ± 1.66``; without the deviation if there is none."""
    return show(mean, unit) if pd.isna(std) else f"{show(mean, unit)} ± {show(std, unit)}"


def _cell(line) -> str:
    ours = spread(line.mean, line.std, line.unit)
    if pd.isna(getattr(line, "published_mean", np.nan)):
        return ours
    ours = f"**{ours}**" if line.verdict == REPRODUCED else ours
    return f"{ours} ({spread(line.published_mean, line.published_std, line.unit)})"


def _counts(table: pd.DataFrame) -> str:
    """How many seeds the cells are of, and how many are not defined in some of theirs."""
    most, fewer = int(table["n"].max()), int((table["n"] < table["n"].max()).sum())
    rest = f"; {fewer} of {len(table)} cells have fewer (column n of the csv)" if fewer else ""
    return f"n = {most} seed{'s' * (most != 1)} in each cell{rest}."


def _provenance(table: pd.DataFrame) -> list[str]:
    """Where the published values come from: what a reader must know before holding ours against them."""
    if "published_source" not in table or table["published_source"].isna().all():
        return []
    beside = table.dropna(subset=["published_source"])
    rows = [
        [str(source), ", ".join(dict.fromkeys(part["encoder"] + " " + part["published_row"]))]
        for source, part in beside.groupby("published_source", sort=False)
    ]
    return ["", "## Where the published values come from", "", *markdown_table(["source", "rows"], rows)]
