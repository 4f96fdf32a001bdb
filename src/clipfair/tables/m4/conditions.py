"""The effect of every condition on the data: size, biases before and after, relaxed constraints."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clipfair.core.io import read_json
from clipfair.tables.common.markdown import markdown_table, number, percent

BIASES = ("representation_bias", "association_bias")
VERSIONS = ("before", "after", "sample")


def build(audits: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """One row per condition, from the audits that the rule ``make_condition`` writes.

    Parameters
    ----------
    audits
        ``dataset~<dataset>/balance~<balance>/audit.json``.

    Returns
    -------
    dataset, balance, kind, examples; rate_target and rate_realised (shares kept); Definitions 1 and 2
    before, after (weighted) and in the sample; share of humans before and in the sample; relative_gap
    and unsatisfied (number of constraints that are not satisfied) for M4; and the page. Values that do not
    apply to a condition are NaN.
    """
    frame = pd.DataFrame([_row(Path(path)) for path in audits])
    return frame, _page(frame)


def _row(path: Path) -> dict:
    audit = read_json(path)
    balance, dataset = (folder.name.partition("~")[2] for folder in (path.parent, path.parent.parent))
    humans = audit["humans"]
    return (
        {"dataset": dataset, "balance": balance, "kind": audit["kind"], "examples": audit["examples"]}
        | {"rate_target": audit["rate"]["target"], "rate_realised": audit["rate"]["realised"]}
        | {f"{bias}_{version}": audit["bias"][version][bias] for bias in BIASES for version in VERSIONS}
        | {"humans_before": humans.get("before"), "humans_sample": humans.get("sample")}
        | {"largest_rate": audit.get("largest_rate")}
        | {"relative_gap": audit.get("certificate", {}).get("relative_gap")}
        | {"unsatisfied": len(audit["unsatisfied"]) if "unsatisfied" in audit else None}
    )


def _page(frame: pd.DataFrame) -> str:
    head = ["condition", "kept", *(f"{bias.replace('_', ' ')}: {v}" for bias in BIASES for v in VERSIONS)]
    head += ["humans: before", "humans: sample", "unsatisfied constraints"]
    rows = [
        [row.balance, f"{percent(row.rate_realised)}%"]
        + [number(getattr(row, f"{bias}_{version}"), decimals=4) for bias in BIASES for version in VERSIONS]
        + [percent(row.humans_before), percent(row.humans_sample), number(row.unsatisfied, decimals=0)]
        for row in frame.astype(
            {"unsatisfied": float, "humans_before": float, "humans_sample": float}
        ).itertuples()
    ]
    datasets = ", ".join(frame["dataset"].unique())
    return "\n".join(
        [
            f"# Conditions on {datasets}",
            "",
            "Representation bias (Definition 1, against each condition's own target) and association bias "
            "(Definition 2): in the data, with the weights, in the kept sample. A dash: not applicable.",
            "",
            *markdown_table(head, rows),
            "",
        ]
    )
