"""The report of a verification: one row for each file, one line for each kind in the printed table."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from clipfair.plan.verification.differences import compare, reasons
from clipfair.plan.verification.sample import SampledResult


def compare_results(results: Sequence[SampledResult], rebuilt: str | Path) -> pd.DataFrame:
    """Compare the sampled results in the working directory with those that were rebuilt in a folder.

    Returns
    -------
    One row for each file: ``kind`` and ``name`` of the result, ``file``, the fields of
    :class:`~clipfair.plan.verification.differences.Difference`, and ``why``: what differs between the records
    of what made the result, if any of its files differs.
    """
    rows = []
    for result in results:
        found = [pair for file in result.files for pair in compare(file, Path(rebuilt, file))]
        differs = not all(difference.identical for _, difference in found)
        why = "; ".join(reasons(result.spec, Path(rebuilt, result.spec))) if differs else ""
        known = {"kind": result.kind, "name": result.name, "why": why}
        rows += [{**known, "file": file, **asdict(difference)} for file, difference in found]
    return pd.DataFrame(rows)


def summary(frame: pd.DataFrame) -> list[str]:
    """The lines of the printed table: files and differences by kind, then every reason once."""
    head = ("results", "files", "identical", "not built", "largest difference", "relative")
    lines = [f"{'kind':14}" + "".join(f"{name:>{len(name) + 2}}" for name in head)]
    for kind, rows in frame.groupby("kind", sort=False):
        largest, relative = rows["largest"].max(), rows["relative"].max()
        cells = (
            *(str(rows[column].nunique()) for column in ("name",)),
            *(str(count) for count in (len(rows), rows["identical"].sum(), rows["missing"].sum())),
            *((f"{largest:.3g}", f"{relative:.1g}") if largest else ("-", "-")),
        )
        more = "  texts, names or rows differ, too" if (rows["other"] & ~rows["missing"]).any() else ""
        aligned = (f"{cell:>{len(name) + 2}}" for cell, name in zip(cells, head, strict=True))
        lines.append(f"{kind:14}{''.join(aligned)}{more}")
    return [*lines, *_reason_lines(frame[~frame["identical"]])]


def _reason_lines(differing: pd.DataFrame) -> list[str]:
    found = [reason for text in differing["why"].unique() for reason in text.split("; ") if reason]
    if len(differing) and not found:
        return ["differs: nothing in the records: same processor, versions, code and inputs"]
    return [f"differs: {reason}" for reason in dict.fromkeys(found)]
