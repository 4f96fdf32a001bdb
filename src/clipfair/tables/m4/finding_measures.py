"""The measures that the findings of CLIP the Bias are about, matched between conditions."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.m4.finding_claims import EARLY, LATE, PROXIES, WITH, WITHOUT
from clipfair.tables.m4.selection import BASELINE, RUN, of_grids

# Conditions are matched on these; then the mean over evaluations and metrics is one value per run.
MATCHED = [*RUN, "evaluation", "metric"]
RECALLS = ["text_to_image_recall_5", "image_to_text_recall_5"]
POINTS = 100  # percentage points of a share in [0, 1]


def make_measures(records: pd.DataFrame, settings: Mapping) -> dict[str, pd.DataFrame]:
    """Each measure as a table with one row per matched value and one column per condition.

    Biases are in [0, 1], classification and retrieval in percentage points.

    Parameters
    ----------
    records
        The records of the last checkpoints.
    settings
        The settings of :mod:`clipfair.tables.m4.findings`.
    """
    # Values of all classes and groups together.
    records = records[records["label"].isna() & records["group"].isna()]
    clip = _name_schedules(of_grids(records, settings, settings["clip"]), settings)
    siglip = settings["siglip"]
    names = {siglip["without"]: WITHOUT, siglip["with"]: WITH}
    siglip_runs = of_grids(records, settings, siglip["grids"])
    siglip_runs = siglip_runs.assign(balance=siglip_runs["balance"].map(names))
    parity = clip[clip["metric"] == "parity_mean"]
    return {
        "representation": _by_condition(parity.assign(value=parity["value"].abs())),
        "association": _by_condition(clip[clip["metric"] == "association_mean"]),
        "classification": POINTS * _by_condition(_classification(clip)),
        "retrieval": POINTS * _by_condition(clip[clip["metric"].isin(RECALLS)]),
        "siglip_classification": POINTS * _by_condition(_classification(siglip_runs)),
        "siglip_retrieval": POINTS * _by_condition(siglip_runs[siglip_runs["metric"].isin(RECALLS)]),
    }


def _name_schedules(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """Name the schedules of baseline and proxies by the order of their stages."""
    names = {}
    for balance, stages in settings["schedules"].items():
        (first, share), (second, _) = stages
        if share > 0.5 and {first, second} == {BASELINE, PROXIES}:
            names[balance] = LATE if second == PROXIES else EARLY
    return records.assign(balance=records["balance"].replace(names))


def _classification(records: pd.DataFrame) -> pd.DataFrame:
    zero_shot = (records["kind"] == "zero_shot") & (records["metric"] == "accuracy")
    return records[zero_shot | (records["metric"] == "accuracy_10shot")]


def _by_condition(records: pd.DataFrame) -> pd.DataFrame:
    return records.set_index([*MATCHED, "balance"])["value"].unstack("balance")
