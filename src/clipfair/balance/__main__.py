"""``python -m clipfair.balance``, and the command ``clipfair-balance``: balance any tables with M4."""

import argparse
import math
import os
import sys
from pathlib import Path

import numpy as np

from clipfair.balance.audit import audit_balanced, audit_weighed
from clipfair.balance.audit_page import markdown
from clipfair.balance.counts import check_varied, count_tables
from clipfair.balance.indicators import IndicatorLayout
from clipfair.balance.layout_inference import infer_layout, suspicious_values
from clipfair.balance.options import parse
from clipfair.balance.output_folder import output_folder
from clipfair.balance.processes import BatchProcesses
from clipfair.balance.summary import summary
from clipfair.balance.table import AnnotationTable
from clipfair.balance.table_files import find_files
from clipfair.balance.targets import check_exclusive, complete_targets, target_proportions
from clipfair.balance.weigher import Weigher, read_dual, write_dual
from clipfair.balance.weighing_sums import WeighingSums
from clipfair.balance.weight_files import weigh_tables
from clipfair.core.errors import UserError, one_line_errors
from clipfair.core.io import write_json, write_text
from clipfair.m4 import M4Settings, Patterns, Problem, Solution, solve
from clipfair.m4.rate import solve_at_max_rate

_PENALTY = 10.0
# A larger gap means that the weights are not those of eq. (4).
_LARGEST_GAP = 1e-6


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with one_line_errors():
            command, options = parse(arguments)
            {"balance": balance, "weigh": weigh_further}[command](options)
    except KeyboardInterrupt:
        _note("interrupted; nothing was written")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the summary, such as head, has ended. The files are complete.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def balance(options: argparse.Namespace) -> None:
    """Count, solve, weigh and audit; the files appear together at the end."""
    limits = _limits(options)
    tables = _open_tables(options)
    with output_folder(options.out) as folder, BatchProcesses(options.processes) as processes:
        layout, patterns = _count(tables, options, processes)
        given = complete_targets(patterns, layout, options.target)
        target = target_proportions(patterns, layout, rule=options.target_rule, given=given)
        check_exclusive(patterns, layout, target)
        settings, solution = _solve(patterns, target, limits, options)
        _check_gap(solution)
        weigher = Weigher(layout, settings, solution.v, solution.mu, float(solution.weights.max()))
        sums = _weigh(tables, weigher, options, folder, processes)
        audit = audit_balanced(patterns, weigher, solution, sums)
        write_dual(folder / "dual.json", weigher)
        _write_audit(folder, audit)
    print("\n".join(summary(audit, files=len(tables))))


def weigh_further(options: argparse.Namespace) -> None:
    """Weigh the examples of tables with the dual variables of an earlier balancing."""
    weigher = read_dual(options.dual)
    tables = _open_tables(options)
    for table in tables:
        table.check_columns(weigher.layout.columns)
    with output_folder(options.out) as folder, BatchProcesses(options.processes) as processes:
        audit = audit_weighed(weigher, _weigh(tables, weigher, options, folder, processes))
        _write_audit(folder, audit)
    print("\n".join(summary(audit, files=len(tables))))


def _limits(options: argparse.Namespace) -> dict:
    """The settings that the largest rate depends on; all numbers are checked before the tables are read."""
    limits = {
        "max_weight": options.max_weight,
        "eps_association": options.eps_association,
        "eps_representation": options.eps_representation,
        "eps_reading": options.eps_reading,
    }
    if options.rate == "max" and math.isinf(options.max_weight):
        raise UserError("--rate max needs a finite --max-weight: without one the rate has no maximum")
    if options.uids and options.key is None:
        raise UserError("--uids needs --key, the column of DataComp's uids")
    if options.utility is None and options.utility_transform != "none":
        raise UserError("--utility-transform needs --utility, the column that it transforms")
    rate = options.max_weight if options.rate == "max" else options.rate
    M4Settings(target=[], rate=rate, penalty=_penalty(options), **limits)
    return limits


def _penalty(options: argparse.Namespace) -> float:
    return _PENALTY if options.penalty is None else options.penalty


def _open_tables(options: argparse.Namespace) -> list[AnnotationTable]:
    files = find_files(options.tables, out=options.out)
    tables = [
        AnnotationTable(path, may_be_empty=len(files) > 1, separator=options.separator) for path in files
    ]
    for table in tables if options.key is not None else ():
        table.check_columns([options.key])
    return tables


def _count(
    tables: list[AnnotationTable], options: argparse.Namespace, processes: BatchProcesses
) -> tuple[IndicatorLayout, Patterns]:
    layout = infer_layout(
        tables,
        sensitive=options.sensitive,
        labels=options.labels,
        utility=options.utility,
        utility_transform=options.utility_transform,
        missing=options.missing,
        categories=options.categories,
        soft=options.soft,
        processes=processes,
    )
    for remark in suspicious_values(layout):
        _note(remark)
    counts = count_tables(tables, layout, processes=processes)
    patterns = counts.patterns()
    check_varied(counts, patterns)
    return layout, patterns


def _solve(
    patterns: Patterns, target: np.ndarray, limits: dict, options: argparse.Namespace
) -> tuple[M4Settings, Solution]:
    """The solution, and the settings with the rate and penalty that were used."""
    settings = M4Settings(
        target=target,
        rate=limits["max_weight"] if options.rate == "max" else options.rate,
        penalty=_penalty(options),
        **limits,
    )
    if options.rate != "max":
        solution = solve(Problem(patterns, settings), on_iteration=_print_iteration)
        _end_iterations()
        return settings, solution
    largest, settings, solution = solve_at_max_rate(patterns, settings, raise_penalty=options.penalty is None)
    _end_iterations()
    _note(f"largest rate that satisfies every constraint: {largest:.6f}")
    return settings, solution


def _check_gap(solution: Solution) -> None:
    gap = solution.certificate.relative_gap
    if not gap <= _LARGEST_GAP:
        raise UserError(
            f"M4 stopped at a relative duality gap of {gap:.1e}, above {_LARGEST_GAP:g}: the numbers exceed "
            "the precision of floats; lower --penalty, or give utilities that differ less"
        )


def _weigh(
    tables: list[AnnotationTable],
    weigher: Weigher,
    options: argparse.Namespace,
    folder: Path,
    processes: BatchProcesses,
) -> WeighingSums:
    return weigh_tables(
        tables,
        weigher,
        key=options.key,
        seed=options.seed,
        folder=folder,
        per_shard=options.per_shard,
        uids=options.uids,
        processes=processes,
    )


def _write_audit(folder: Path, audit: dict) -> None:
    write_json(folder / "audit.json", audit)
    write_text(folder / "audit.md", markdown(audit))


def _note(message: str) -> None:
    print(f"clipfair: {message}", file=sys.stderr)


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
