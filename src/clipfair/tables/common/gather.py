"""Every paper's Table 5 of a study in one tidy file."""

from collections.abc import Mapping

import pandas as pd

# What says where a line belongs (a paper has what applies to its own), then its numbers.
PLACE = ["study", "paper", "task", "encoder", "row", "metric"]
OURS = ["unit", "mean", "std", "n"]
BESIDE = [
    "published_dataset",
    "published_row",
    "published_mean",
    "published_std",
    "published_source",
    "difference",
    "combined_std",
    "deviations",
    "verdict",
]


def gather(parts: Mapping[str, str], study: str) -> pd.DataFrame:
    """Stack the compared tables.

    Parameters
    ----------
    parts
        Paper -> its ``table5.compare.csv``.
    study
        The study that all of them are of.

    Returns
    -------
    One line per study, paper, task (CLIP the Bias: what is predicted) or encoder (FairCLIP), row and
    metric: ours with its unit, published with its source, difference, verdict.
    """
    frames = []
    for paper, path in parts.items():
        frame = pd.read_csv(path)
        # Table 5 of CLIP the Bias has no other unit than percent and does not say it.
        frames.append(frame.assign(study=study, paper=paper, unit=frame.get("unit", "%")))
    return pd.concat(frames, ignore_index=True).reindex(columns=[*PLACE, *OURS, *BESIDE])
