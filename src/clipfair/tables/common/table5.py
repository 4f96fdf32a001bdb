"""Table 5 of both papers in one tidy file."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.table_files import DATA

# The columns that identify a value (a paper has those that apply to it), then its numbers.
PLACE = ["study", "paper", DATA, "task", "encoder", "row", "metric"]
OURS = ["unit", "mean", "std", "n"]
PUBLISHED = [
    "published_dataset",
    "published_row",
    "published_mean",
    "published_std",
    "published_source",
    "difference",
    "combined_std",
    "deviations",
    "verdict",
    "paired_verdict",
]


def gather_table5(parts: Mapping[str, str], study: str) -> pd.DataFrame:
    """Stack the compared tables.

    Parameters
    ----------
    parts
        Paper -> its ``table5.compare.csv``.
    study
        The study of all of them.

    Returns
    -------
    One row per study, paper, task (CLIP the Bias: the prediction task) or encoder (FairCLIP), row and metric:
    the kind of data, our value with its unit, the published value with its source, difference, verdict.
    """
    frames = []
    for paper, path in parts.items():
        frame = pd.read_csv(path)
        # Table 5 of CLIP the Bias is in percent and has no column for the unit.
        frames.append(frame.assign(study=study, paper=paper, unit=frame.get("unit", "%")))
    return pd.concat(frames, ignore_index=True).reindex(columns=[*PLACE, *OURS, *PUBLISHED])
