"""What a condition costs at other numbers of examples, extrapolated from benchmarks/m4/groups.csv.

    python benchmarks/cluster/conditions.py 1e9 1e10

Extrapolated are the lines through the two largest measurements: CPU time of counting, sampling and joining
by examples; CPU time and memory of the solver by distinct patterns, whose number grows by the same factor in
every decade.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

MEASURED = Path(__file__).parents[1] / "m4/groups.csv"


def extrapolate(measured: pd.DataFrame, examples: float) -> dict[str, float]:
    """The costs of a condition of so many examples; CPU hours, GB."""
    table = measured.pivot(index="examples", columns="step")
    last, largest = table.index[-2:]
    cpu = table["cpu_seconds"] / 3600
    facts = measured.groupby("examples").first()
    decades = np.log(examples / largest) / np.log(largest / last)
    patterns = facts["patterns"]
    expected = patterns[largest] * (patterns[largest] / patterns[last]) ** decades

    def at(values: pd.Series, amounts: pd.Series, amount: float) -> float:
        """The value on the line through those of the two largest measurements."""
        slope = (values[largest] - values[last]) / (amounts[largest] - amounts[last])
        return values[largest] + slope * (amount - amounts[largest])

    rows = pd.Series(table.index, index=table.index)
    return {
        "examples": examples,
        "annotations, GB": facts["annotations_mb"][largest] / 1000 * examples / largest,
        "temporary files, GB": facts["temporary_mb"][largest] / 1000 * examples / largest,
        "count, CPU h": at(cpu["count"], rows, examples),
        "patterns, M": expected / 1e6,
        "solve, CPU h": at(cpu["solve"], patterns, expected),
        "solve, GB": at(table["peak_mb"]["solve"] / 1000, patterns, expected),
        "sample, CPU h": at(cpu["sample"], rows, examples),
        "join, CPU h": at(cpu["join"], rows, examples),
    }


def main() -> None:
    """Print the measured sizes' own values and the extrapolated ones as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("examples", nargs="+", type=float)
    options = parser.parse_args()
    measured = pd.read_csv(MEASURED).query("step in ('count', 'solve', 'sample', 'join')")
    rows = [
        extrapolate(measured, examples)
        for examples in (*measured["examples"].unique()[-2:], *options.examples)
    ]
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + " ---: |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(f"{value:.2g}" for value in row.values()) + " |")


if __name__ == "__main__":
    main()
