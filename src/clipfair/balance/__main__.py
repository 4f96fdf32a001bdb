"""``python -m clipfair.balance``: balance anyone's own table of annotations with M4."""

import argparse
import math
import sys
from pathlib import Path

from clipfair.balance.audit import audit, markdown, shown
from clipfair.balance.counts import check_varied, count_table
from clipfair.balance.fit import Weigher, targets, write_dual
from clipfair.balance.table import Table, describe
from clipfair.balance.weigh import weigh_table
from clipfair.core.errors import UserError, one_line_errors
from clipfair.core.io import write_json, write_text
from clipfair.m4 import M4Settings, Problem, max_rate, solve

_DESCRIPTION = """\
Weigh the examples of a table so that sensitive groups have their target proportions and are not
associated with labels (M4 of "CLIP the Bias", section 5), and choose a subsample by these weights.

A column of true/false or 0/1 is one group or label; a column of text is one for each of its values,
named column=value."""

_EPILOG = """\
Written to the folder: weights.parquet (key, weight), keep.parquet (key), audit.json and audit.md
(biases before, after and in the sample; certificate of optimality; constraints), dual.json (all
that is needed to weigh further examples).

Example: python -m clipfair.balance people.csv --sensitive sex race --labels occupation
         --target sex=Female:0.5 sex=Male:0.5 --rate max --key id --out balanced/"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        balance(options)


def balance(options: argparse.Namespace) -> None:
    """Count, solve, weigh, audit; nothing is written before the solve."""
    limits = {
        "max_weight": options.max_weight,
        "eps_association": options.eps_association,
        "eps_representation": options.eps_representation,
        "eps_reading": options.eps_reading,
    }
    if options.rate == "max" and math.isinf(options.max_weight):
        raise UserError("--rate max needs a finite --max-weight: without one the rate has no maximum")
    # The numbers are checked before the table is read.
    rate = options.max_weight if options.rate == "max" else options.rate
    M4Settings(target=[], rate=rate, penalty=options.penalty, **limits)

    table = Table(options.table)
    if options.key is not None:
        table.check_columns([options.key])
    layout = describe(
        table,
        sensitive=options.sensitive,
        labels=options.labels,
        utility=options.utility,
        missing=options.missing,
    )
    counts = count_table(table, layout)
    patterns = counts.patterns()
    check_varied(counts, patterns)
    _say(f"{patterns.examples} examples, {len(counts.count)} distinct patterns")

    target = targets(patterns, layout, rule=options.target_rule, given=dict(options.target))
    if options.rate == "max":
        rate = max_rate(patterns, target, **limits)
        if rate == 0:
            raise UserError(
                "no rate satisfies every constraint: change the targets, or give a rate or tolerances"
            )
        _say(f"largest rate that satisfies every constraint: {rate:.6f}")
    settings = M4Settings(target=target, rate=rate, penalty=options.penalty, **limits)
    solution = solve(Problem(patterns, settings), on_iteration=_show_iteration)
    _end_iterations()

    out = Path(options.out)
    weigher = Weigher(layout, settings, solution.v, solution.mu)
    weighed = weigh_table(
        table,
        weigher,
        key=options.key,
        seed=options.seed,
        weights_path=out / "weights.parquet",
        keep_path=out / "keep.parquet",
    )
    audited = audit(patterns, weigher, solution, weighed)
    write_dual(out / "dual.json", weigher)
    write_json(out / "audit.json", audited)
    write_text(out / "audit.md", markdown(audited))
    for kind in ("representation_bias", "association_bias"):
        values = ", ".join(f"{version} {shown(bias[kind])}" for version, bias in audited["bias"].items())
        _say(f"{kind.replace('_', ' ')}: {values}")
    _say(
        f"relative duality gap {solution.certificate.relative_gap:.1e}; "
        f"{len(audited['unsatisfied'])} constraints could not be satisfied; see {out / 'audit.md'}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clipfair.balance",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", help="a .parquet or .csv file, one row an example")
    parser.add_argument("--sensitive", nargs="+", required=True, metavar="COLUMN", help="columns of groups")
    parser.add_argument("--labels", nargs="+", required=True, metavar="COLUMN", help="columns of labels")
    parser.add_argument(
        "--target",
        nargs="+",
        type=_target,
        default=[],
        metavar="GROUP:SHARE",
        help="targets, such as sex=Male:0.5",
    )
    parser.add_argument(
        "--target-rule",
        choices=("data", "uniform", "median"),
        default="data",
        help="the other targets: as in the data (default), or the mean or median share of a column's groups",
    )
    parser.add_argument("--rate", type=_rate, default=0.9, help="mean weight eta, or max (default 0.9)")
    parser.add_argument(
        "--max-weight", type=float, default=1.0, help="largest weight Q; inf for none (default 1)"
    )
    parser.add_argument(
        "--penalty", type=float, default=10.0, help="price V of a unit of violation (default 10)"
    )
    parser.add_argument("--eps-association", type=float, default=0.0, help="tolerance eps_D (default 0)")
    parser.add_argument("--eps-representation", type=float, default=0.0, help="tolerance eps_R (default 0)")
    parser.add_argument(
        "--eps-reading",
        choices=("normalised", "literal"),
        default="normalised",
        help="tolerances relative to eta, as in Algorithm 2 (default), or as eq. (3) is printed",
    )
    parser.add_argument("--utility", metavar="COLUMN", help="utilities, greater than 0 (default: 1 for all)")
    parser.add_argument(
        "--key", metavar="COLUMN", help="unique names of the examples (default: the row number)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the sampling (default 0)")
    parser.add_argument(
        "--missing",
        choices=("error", "unset"),
        default="error",
        help="an empty cell is an error (default), or sets no group and no label",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where to write")
    return parser


def _target(text: str) -> tuple[str, float]:
    name, _, share = text.rpartition(":")
    try:
        return name, float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected GROUP:SHARE, such as sex=Male:0.5") from None


def _rate(text: str) -> float | str:
    try:
        return text if text == "max" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, or max") from None


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _show_iteration(iteration: int, gap: float) -> None:
    if sys.stderr.isatty():
        print(
            f"\rsolving: iteration {iteration}, relative gap {gap:.1e} ", end="", file=sys.stderr, flush=True
        )


def _end_iterations() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)


if __name__ == "__main__":
    main()
