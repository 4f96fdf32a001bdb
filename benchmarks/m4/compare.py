"""Compare M4 with a quadratic programming solver, raking and reweighing on problems that they can express.

    python benchmarks/m4/compare.py --adult TABLE --captions TABLE --packages FOLDER

writes comparison.csv next to this file. The tables are data/prepared/adult/uci-2/table.parquet and
results/annotate/lab/dataset~flickr30k-captions/captions.parquet. Raking is that of the package balance,
Reweighing that of aif360; neither is a dependency (pip install --target FOLDER balance aif360).
Each measurement is a process of its own; time starts with the columns in memory and ends with a weight for
every row.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from clipfair.core.io import write_csv
from clipfair.m4 import M4Settings, Patterns, Problem, bias, collapse, solve

_OCCUPATIONS = ("athlete", "musician", "construction worker", "police officer", "dancer", "photographer",
                "firefighter", "artist", "chef")  # fmt: skip
_MAX_WEIGHT, _PENALTY = 20.0, 1000.0
_LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Case:
    """Groups (n, m), labels (n, c), targets (m,), and the partitions of the groups into exclusive ones."""

    sensitive: np.ndarray
    labels: np.ndarray
    target: np.ndarray
    partitions: tuple[tuple[int, ...], ...]


def adult(path: Path, columns: tuple[str, ...]) -> Case:
    """Groups of Adult's columns, independent of the income; sexes in equal parts if races are groups, too."""
    table = pd.read_parquet(path)
    parts = [pd.get_dummies(table[column]).to_numpy(dtype=np.uint8) for column in columns]
    sensitive = np.hstack(parts)
    target = sensitive.mean(axis=0)
    if len(columns) > 1:
        target[:2] = 0.5
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    partitions = tuple(tuple(range(a, b)) for a, b in itertools.pairwise(ends))
    return Case(sensitive, table[["income"]].to_numpy(dtype=np.uint8), target, partitions)


def captions(path: Path) -> Case:
    """Two overlapping groups of Flickr30k captions, men and women mentioned, and nine occupations."""
    groups = [f"text.gender={value}" for value in ("man", "woman")]
    labels = [f"text.occupation={value}" for value in _OCCUPATIONS]
    table = pd.read_parquet(path, columns=[*groups, *labels])
    sensitive = table[groups].to_numpy(dtype=np.uint8)
    return Case(sensitive, table[labels].to_numpy(dtype=np.uint8), np.array([0.35, 0.35]), ((0,), (1,)))


def settings_of(case: Case) -> M4Settings:
    """Weights of mean 1."""
    return M4Settings(case.target, 1.0, max_weight=_MAX_WEIGHT, penalty=_PENALTY)


def by_m4(case: Case) -> np.ndarray:
    """The exact solver of clipfair."""
    patterns, index = collapse(case.sensitive, case.labels)
    return solve(Problem(patterns, settings_of(case))).weights[index]


def by_clarabel_on_patterns(case: Case) -> np.ndarray:
    """Clarabel on the counted patterns."""
    patterns, index = collapse(case.sensitive, case.labels)
    return _clarabel(Problem(patterns, settings_of(case)))[index]


def by_clarabel_on_rows(case: Case) -> np.ndarray:
    """Clarabel with a variable for each row."""
    n = len(case.sensitive)
    labels = sparse.csr_array(case.labels.astype(float))
    patterns = Patterns(case.sensitive, labels, np.ones(n), np.ones(n, dtype=int))
    return _clarabel(Problem(patterns, settings_of(case)))


def _clarabel(problem: Problem) -> np.ndarray:
    """Eq. (4) as a quadratic program in q and the violations."""
    import clarabel

    patterns, settings, n = problem.patterns, problem.settings, len(problem.patterns.count)
    share = patterns.share * n  # sums over the variables instead of means, so that no number vanishes with n
    extended = np.hstack([patterns.labels.toarray(), np.ones((n, 1))])
    centred = patterns.sensitive - settings.target
    g = (centred[:, :, None] * extended[:, None, :]).reshape(n, -1) * share[:, None]
    p = g.shape[1]
    cost = sparse.diags_array(np.append(share, np.zeros(p))).tocsc()
    linear = np.append(-share * settings.rate, np.full(p, settings.penalty))
    moments, slack, empty = sparse.csc_array(g.T), sparse.eye_array(p), sparse.csc_array((n, p))
    matrix = sparse.vstack(
        [
            sparse.csc_array(np.append(share, np.zeros(p))[None, :]),
            sparse.hstack([moments, -slack]),
            sparse.hstack([-moments, -slack]),
            sparse.hstack([-sparse.eye_array(n), empty]),
            sparse.hstack([sparse.eye_array(n), empty]),
        ],
        format="csc",
    )
    right = np.concatenate([[settings.rate * n], np.zeros(2 * p + n), np.full(n, settings.max_weight)])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(len(right) - 1)]
    options = clarabel.DefaultSettings()
    options.verbose = False
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(cost), linear, sparse.csc_matrix(matrix), right, cones, options
    )
    return np.array(solver.solve().x)[:n]


def by_raking(case: Case) -> np.ndarray:
    """Raking to margins in which each partition is crossed with each label, as their product is wanted."""
    from balance.weighting_methods.rake import rake

    members = [_codes(case.sensitive, partition) for partition in case.partitions]
    rows = pd.DataFrame({f"group{i}": codes for i, codes in enumerate(members)})
    names = list(rows)
    for r in range(case.labels.shape[1]):
        rows[f"label{r}"] = case.labels[:, r].astype(str)
    wanted = _product_of_margins(rows, case, names)
    variables = []
    for frame in (rows, wanted):
        variables = []
        for group, r in itertools.product(names, range(case.labels.shape[1])):
            variables.append(f"{group}_{r}")
            frame[variables[-1]] = frame[group] + "_" + frame[f"label{r}"]
    result = rake(
        rows[variables],
        pd.Series(1.0, index=rows.index),
        wanted[variables],
        wanted["share"] * len(rows),
        variables=variables,
        transformations=None,
    )
    weights = result["weight"].to_numpy()
    return weights / weights.mean()


def _codes(sensitive: np.ndarray, partition: tuple[int, ...]) -> np.ndarray:
    """For each row its group of a partition; a single group is a partition with its complement."""
    code = sensitive[:, partition[0]] if len(partition) == 1 else sensitive[:, partition].argmax(axis=1)
    return code.astype(str)


def _product_of_margins(rows: pd.DataFrame, case: Case, names: list[str]) -> pd.DataFrame:
    """All combinations of groups and labels, with the product of the wanted shares."""
    margins = []
    for name, partition in zip(names, case.partitions, strict=True):
        shares = case.target[list(partition)]
        shares = np.array([1 - shares[0], shares[0]]) if len(partition) == 1 else shares
        margins.append([(name, str(code), share) for code, share in enumerate(shares)])
    for name in rows.columns.difference(names):
        frequency = rows[name].value_counts(normalize=True)
        margins.append([(name, code, share) for code, share in frequency.items()])
    cells = [
        dict(((name, code) for name, code, _ in cell), share=np.prod([share for *_, share in cell]))
        for cell in itertools.product(*margins)
    ]
    return pd.DataFrame(cells)


def by_reweighing(case: Case) -> np.ndarray:
    """AIF360's Reweighing: one pair of groups, one label, shares as in the data."""
    from aif360.algorithms.preprocessing import Reweighing
    from aif360.datasets import BinaryLabelDataset

    frame = pd.DataFrame({"s": case.sensitive[:, 0], "y": case.labels[:, 0]}, dtype=float)
    data = BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["s"])
    fitted = Reweighing(unprivileged_groups=[{"s": 0.0}], privileged_groups=[{"s": 1.0}])
    return fitted.fit_transform(data).instance_weights


METHODS = {
    "M4 (clipfair)": by_m4,
    "Clarabel, patterns": by_clarabel_on_patterns,
    "Clarabel, rows": by_clarabel_on_rows,
    "raking (balance)": by_raking,
    "Reweighing (aif360)": by_reweighing,
}
CASES = {
    "Adult: sex; income": lambda options: adult(options.adult, ("sex",)),
    "Adult: sex and race; income": lambda options: adult(options.adult, ("sex", "race")),
    "captions: man and woman; 9 occupations": lambda options: captions(options.captions),
}


def measure(case: Case, method: str) -> dict:
    """Time, biases and design effect of one method."""
    start, cpu = time.perf_counter(), time.process_time()
    weights = METHODS[method](case)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    data = bias.moments(case.sensitive, case.labels.astype(float), weights)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "representation_bias": bias.representation_bias(data, case.target),
        "association_bias": bias.association_bias(data),
        "design_effect": len(weights) * (weights**2).sum() / weights.sum() ** 2,
        "largest_weight": weights.max(),
    }


def in_a_process(options: argparse.Namespace, case: str, method: str) -> dict:
    """One measurement with the peak memory of its process; only the reason if it fails."""
    command = [sys.executable, __file__, "--adult", str(options.adult), "--captions", str(options.captions)]
    environment = dict(os.environ)
    if options.packages:
        environment["PYTHONPATH"] = os.pathsep.join(
            [environment.get("PYTHONPATH", ""), str(options.packages)]
        )
    command += ["--case", case, "--method", method]
    row = {"case": case, "method": method}
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return row | {"failed": f"more than {_LIMIT_SECONDS} s"}
    if ran.returncode:
        return row | {"failed": (ran.stderr.strip().splitlines() or [f"exit {ran.returncode}"])[-1][:120]}
    return row | json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Measure everything, or one method on one case."""
    import resource

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--adult", type=Path, required=True)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--packages", type=Path, help="folder with balance and aif360")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--method", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        row = measure(CASES[options.case](options), options.method)
        row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(row))
        return
    rows = []
    for case, method in itertools.product(CASES, METHODS):
        if method != "Reweighing (aif360)" or case == "Adult: sex; income":
            rows.append(in_a_process(options, case, method))
            print(rows[-1], flush=True)
    write_csv(Path(__file__).with_name("comparison.csv"), pd.DataFrame(rows))


if __name__ == "__main__":
    main()
