"""Paired differences between two methods, seed by seed."""

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from clipfair.tables.fairclip.measures import OVERALL
from clipfair.tables.fairclip.selection import on_trained_attribute, trained_attributes


def log10(values: pd.Series) -> pd.Series:
    """Decimal logarithms; NaN if not positive (a distance that did not converge can be negative)."""
    return np.log10(values.where(values > 0))


def per_seed(
    values: pd.DataFrame,
    method: str,
    measure: str,
    *,
    on: Iterable[str] | None = None,
    attr: Iterable[str] | None = None,
) -> pd.Series:
    """The value of a measure for each seed of a method, on the attributes that it is trained for.

    The value is the mean over the method's runs (one for each attribute trained for), attributes and groups.
    Measures of all examples (no attribute) are used as they are.

    Parameters
    ----------
    values
        The result of :func:`clipfair.tables.fairclip.selection.final_values`.
    on
        Attributes to measure on, instead of those trained for.
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
        kept = on_trained_attribute(chosen, "label") if on is None else chosen["label"].isin(list(on))
        chosen = chosen[kept]
    # First within each run and attribute, so that attributes have equal weights whatever their groups.
    by_attribute = chosen.groupby(["seed", "attr", "label"])["value"].mean()
    return by_attribute.groupby("seed").mean()


def shared_attrs(values: pd.DataFrame, method: str, other: str) -> list[str]:
    """The attributes for which both methods have runs; only these runs can be paired."""
    ours, theirs = (set(values.loc[values["method"] == name, "attr"]) for name in (method, other))
    return sorted(ours & theirs)


def paired_differences(
    values: pd.DataFrame,
    method: str,
    reference: str,
    measure: str,
    *,
    sign: int = 1,
    log: bool = False,
    of: Collection[str] = (),
    against: Collection[str] = (),
) -> pd.Series:
    """Method minus reference by seed, in percentage points (or decimal logarithms), times ``sign``.

    Both are measured on the attributes that the method is trained for. Of methods that are trained for
    attributes, the runs that both have are paired. A reference with a single run (an untrained model) is
    paired with every seed. ``of`` and ``against`` choose runs of the method and of the reference by the
    attributes that they are trained for instead.
    """
    shared = shared_attrs(values, method, reference)
    attrs = {name: values.loc[values["method"] == name, "attr"].unique() for name in (method, reference)}
    ours = per_seed(values, method, measure, attr=of or shared or None)
    # A reference that is trained for attributes is measured on those, any other on the method's.
    trained_for = set().union(*map(trained_attributes, of or shared or attrs[method]))
    own = set().union(*map(trained_attributes, attrs[reference]))
    on = None if own or not trained_for else trained_for
    theirs = per_seed(values, reference, measure, on=on, attr=against or shared or None)
    if len(theirs) == 1:
        theirs = pd.Series(theirs.iloc[0], index=ours.index)
    pairs = log10(ours) - log10(theirs) if log else 100 * (ours - theirs)
    return sign * pairs.dropna()
