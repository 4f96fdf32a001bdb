"""What every condition does to the data: size, biases before and after, what gave way."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clipfair.core.io import read_json
from clipfair.tables.common.markdown import markdown_table, number, percent

BIASES = ("representation_bias", "association_bias")
VERSIONS = ("before", "after", "sample")


def build(audits: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """One line a condition, from the audits of ``make_condition``.

    Parameters
    ----------
    audits
        ``dataset~<dataset>/balance~<balance>/audit.json``.

    Returns
    -------
    dataset, balance, kind, examples; rate_target and rate_realised (shares kept); Definitions 1 and 2
    before, after (weighted) and in the sample; share of humans before and in the sample; relative_gap
    and unsatisfied (number of constraints that gave way) for M4; and the page. What a condition does not
    have is empty.
    """
    frame = pd.DataFrame([_line(Path(path)) for path in audits])
    return frame, _page(frame)


def _line(path: Path) -> dict:
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
    head += ["humans: before", "humans: sample", "constraints that gave way"]
    rows = [
        [line.balance, f"{percent(line.rate_realised)}%"]
        + [number(getattr(line, f"{bias}_{version}"), decimals=4) for bias in BIASES for version in VERSIONS]
        + [percent(line.humans_before), percent(line.humans_sample), number(line.unsatisfied, decimals=0)]
        for line in frame.astype(
            {"unsatisfied": float, "humans_before": float, "humans_sample": float}
        ).itertuples()
    ]
    datasets = ", ".join(frame["dataset"].unique())
    return "\n".join(
        [
            f"# Conditions on {datasets}",
            "",
            "Representation bias (Definition 1, against each condition's own target) and association bias "
            "(Definition 2): in the data, under the weights, in the kept sample. A dash: does not apply.",
            "",
            *markdown_table(head, rows),
            "",
        ]
    )
