"""``python -m clipfair.balance``: balance any table of annotations with M4."""

import argparse
import math
import sys
from pathlib import Path

from clipfair.balance.audit import audit_table
from clipfair.balance.audit_page import format_value, markdown
from clipfair.balance.counts import check_varied, count_table
from clipfair.balance.indicators import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.balance.targets import target_proportions
from clipfair.balance.weigh import WeighingResult, weigh_table
from clipfair.balance.weigher import Weigher, read_dual, write_dual
from clipfair.core.errors import UserError, one_line_errors
from clipfair.core.io import write_json, write_text
from clipfair.m4 import M4Settings, Patterns, Problem, max_rate, solve

_DESCRIPTION = """\
Weigh the examples of a table so that sensitive groups have their target proportions and are not
associated with labels (M4 of "CLIP the Bias", section 5), and choose a subsample by these weights.

A column of true/false or 0/1 is one group or label. A column of text is one group or label for each of its
values, named column=value."""

_EPILOG = """\
Files in the folder: weights.parquet (key, weight), keep.parquet (key), audit.json and audit.md
(biases before, after and in the sample; certificate of optimality; constraints), dual.json (suffices to
weigh further examples with --dual).

Examples: python -m clipfair.balance people.csv --sensitive sex race --labels occupation
          --target sex=Female:0.5 sex=Male:0.5 --rate max --key id --out balanced/
          python -m clipfair.balance more_people.csv --dual balanced/dual.json --key id --out more/"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.dual is None and (options.sensitive is None or options.labels is None):
        parser.error("the following arguments are required: --sensitive and --labels (or --dual)")
    if options.dual is not None and (options.sensitive or options.labels):
        parser.error("--dual has the groups and labels of its own: leave out --sensitive and --labels")
    with one_line_errors():
        if options.dual is None:
            balance(options)
        else:
            weigh_further(options)


def balance(options: argparse.Namespace) -> None:
    """Count, solve, weigh and audit; nothing is written before the problem is solved."""
    limits = _limits(options)
    table = _open_table(options)
    layout = infer_layout(
        table,
        sensitive=options.sensitive,
        labels=options.labels,
        utility=options.utility,
        missing=options.missing,
    )
    counts = count_table(table, layout)
    patterns = counts.patterns()
    check_varied(counts, patterns)
    _print(f"{patterns.examples} examples, {len(counts.count)} distinct patterns")

    target = target_proportions(patterns, layout, rule=options.target_rule, given=dict(options.target))
    rate = _largest_rate(patterns, target, limits) if options.rate == "max" else options.rate
    settings = M4Settings(target=target, rate=rate, penalty=options.penalty, **limits)
    solution = solve(Problem(patterns, settings), on_iteration=_print_iteration)
    _end_iterations()

    weigher = Weigher(layout, settings, solution.v, solution.mu)
    weighed = _weigh(table, weigher, options)
    audit = audit_table(patterns, weigher, solution, weighed)
    out = Path(options.out)
    write_dual(out / "dual.json", weigher)
    write_json(out / "audit.json", audit)
    write_text(out / "audit.md", markdown(audit))
    _print_summary(audit, page=out / "audit.md")


def weigh_further(options: argparse.Namespace) -> None:
    """Weigh the examples of a table with the dual variables of an earlier balancing."""
    weigher = read_dual(options.dual)
    weighed = _weigh(_open_table(options), weigher, options)
    _print(f"{weighed.examples} examples weighed")


def _limits(options: argparse.Namespace) -> dict:
    """The settings that the largest rate depends on; all numbers are checked before the table is read."""
    limits = {
        "max_weight": options.max_weight,
        "eps_association": options.eps_association,
        "eps_representation": options.eps_representation,
        "eps_reading": options.eps_reading,
    }
    if options.rate == "max" and math.isinf(options.max_weight):
        raise UserError("--rate max needs a finite --max-weight: without one the rate has no maximum")
    rate = options.max_weight if options.rate == "max" else options.rate
    M4Settings(target=[], rate=rate, penalty=options.penalty, **limits)
    return limits


def _open_table(options: argparse.Namespace) -> AnnotationTable:
    table = AnnotationTable(options.table)
    if options.key is not None:
        table.check_columns([options.key])
    return table


def _largest_rate(patterns: Patterns, target: list[float], limits: dict) -> float:
    rate = max_rate(patterns, target, **limits)
    if rate == 0:
        raise UserError(
            "no rate satisfies every constraint: change the targets, or give a rate or tolerances"
        )
    _print(f"largest rate that satisfies every constraint: {rate:.6f}")
    return rate


def _weigh(table: AnnotationTable, weigher: Weigher, options: argparse.Namespace) -> WeighingResult:
    out = Path(options.out)
    return weigh_table(
        table,
        weigher,
        key=options.key,
        seed=options.seed,
        weights_path=out / "weights.parquet",
        keep_path=out / "keep.parquet",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clipfair.balance",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", help="a .parquet or .csv file with one row for each example")
    parser.add_argument("--sensitive", nargs="+", metavar="COLUMN", help="columns of groups")
    parser.add_argument("--labels", nargs="+", metavar="COLUMN", help="columns of labels")
    parser.add_argument(
        "--dual",
        metavar="FILE",
        help="dual.json of an earlier balancing: weigh this table by it instead of solving anew",
    )
    _add_settings(parser)
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
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder for the results")
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """The settings of M4 (section 5)."""
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
        "--max-weight", type=float, default=1.0, help="largest weight Q; inf for no limit (default 1)"
    )
    parser.add_argument(
        "--penalty", type=float, default=10.0, help="price V of one unit of violation (default 10)"
    )
    parser.add_argument("--eps-association", type=float, default=0.0, help="tolerance eps_D (default 0)")
    parser.add_argument("--eps-representation", type=float, default=0.0, help="tolerance eps_R (default 0)")
    parser.add_argument(
        "--eps-reading",
        choices=("normalised", "literal"),
        default="normalised",
        help="tolerances relative to eta, as in Algorithm 2 (default), or as eq. (3) is printed",
    )


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


def _print(message: str) -> None:
    print(message, file=sys.stderr)


def _print_summary(audit: dict, *, page: Path) -> None:
    for kind in ("representation_bias", "association_bias"):
        values = ", ".join(f"{version} {format_value(bias[kind])}" for version, bias in audit["bias"].items())
        _print(f"{kind.replace('_', ' ')}: {values}")
    _print(
        f"relative duality gap {audit['certificate']['relative_gap']:.1e}; "
        f"{len(audit['unsatisfied'])} constraints could not be satisfied; details in {page}"
    )


def _print_iteration(iteration: int, gap: float) -> None:
    if sys.stderr.isatty():
        print(
            f"\rsolving: iteration {iteration}, relative gap {gap:.1e} ", end="", file=sys.stderr, flush=True
        )


def _end_iterations() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)


if __name__ == "__main__":
    main()
