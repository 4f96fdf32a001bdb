"""The options of ``python -m clipfair.balance`` and of its subcommand ``weigh``."""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any, NoReturn

from clipfair.balance.processes import available_cores
from clipfair.core.errors import UserError, unknown

_DESCRIPTION = """\
Weigh the examples of tables so that sensitive groups have their target proportions and are not
associated with labels (M4 of "CLIP the Bias", section 5), and choose a subsample by these weights.

A column of true/false or 0/1 is one group or label. A column of text is one group or label for each of its
values, named column=value; a column of lists is one for each value in its lists."""

_EPILOG = """\
Files in the folder: weights.parquet (key, weight), keep.parquet (key), audit.json and audit.md
(biases before, after and in the sample; certificate of optimality; constraints), dual.json (suffices to
weigh further examples). An example is kept with probability weight / max(1, largest weight).

Examples: python -m clipfair.balance people.csv --sensitive sex race --labels occupation
          --target sex=Female:0.5 --rate max --key id --out balanced/
          python -m clipfair.balance weigh balanced/dual.json more_people.csv --key id --out more/"""

_TABLES = "parquet, csv or tsv files (text also compressed), or folders of them; one row for each example"


_WEIGH = "weigh"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def __init__(self, **settings: Any):
        self._names: list[str] = []
        super().__init__(**settings)

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        self._names += names
        return super().add_argument(*names, **settings)

    def parse_args(self, arguments: list[str]) -> argparse.Namespace:  # type: ignore[override]
        # argparse would first report a required option as missing whose name has a typo.
        known = [name for name in self._names if name.startswith("--")]
        for argument in arguments:
            name = argument.partition("=")[0]
            if name.startswith("--") and not any(option.startswith(name) for option in known):
                self.error(unknown("option", name, known))
        return super().parse_args(arguments)

    def error(self, message: str) -> NoReturn:
        if "required: TABLE" in message or "required: DUAL" in message:
            message += " (tables come before the options)"
        print(f"clipfair: {message}; {self.prog} --help describes all options", file=sys.stderr)
        sys.exit(2)


def parse(arguments: list[str]) -> tuple[str, argparse.Namespace]:
    """The command, ``"balance"`` or ``"weigh"``, and its options."""
    first = arguments[0] if arguments else ""
    if first == _WEIGH:
        return _WEIGH, _parse_weigh(arguments[1:])
    if first and not Path(first).exists() and difflib.get_close_matches(first, [_WEIGH]):
        raise UserError(f"{first}: no such table, and no command: did you mean {_WEIGH!r}?")
    return "balance", _parse_balance(arguments)


def _parse_balance(arguments: list[str]) -> argparse.Namespace:
    """The options of a balancing."""
    parser = _Parser(
        prog="python -m clipfair.balance",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tables", nargs="+", metavar="TABLE", help=_TABLES)
    _add_columns(parser)
    _add_settings(parser)
    _add_outputs(parser)
    return parser.parse_args(arguments)


def _parse_weigh(arguments: list[str]) -> argparse.Namespace:
    """The options of weighing further examples."""
    parser = _Parser(
        prog="python -m clipfair.balance weigh",
        description="Weigh further examples by a stored solution (eq. 5), and report how far they are off "
        "its target.",
    )
    parser.add_argument("dual", metavar="DUAL", help="dual.json of an earlier balancing")
    parser.add_argument("tables", nargs="+", metavar="TABLE", help=_TABLES)
    _add_outputs(parser)
    return parser.parse_args(arguments)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sensitive", nargs="+", required=True, metavar="COLUMN", help="columns of groups")
    parser.add_argument(
        "--labels",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of labels (default: none; only the proportions of the groups are balanced)",
    )
    parser.add_argument(
        "--categories",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="those of the columns that hold integer codes: one group or label for each code",
    )
    parser.add_argument(
        "--soft",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="those of the columns that hold probabilities of the group or label, in steps of 0.005",
    )
    parser.add_argument("--utility", metavar="COLUMN", help="utilities, greater than 0 (default: 1 for all)")
    parser.add_argument(
        "--utility-transform",
        choices=("none", "exp"),
        default="none",
        help="exp takes utilities of any sign, as logarithms: the exponential is used (default none)",
    )
    parser.add_argument(
        "--missing",
        choices=("error", "unset"),
        default="error",
        help="a missing cell is an error (default), or sets no group and no label; missing are empty cells, "
        "NaN, and in text files also NA, N/A, nan, null and ?",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--separator",
        type=_separator,
        metavar="CHARACTER",
        help="separator of the cells in text files, such as ':' or tab (default: tab in .tsv, elsewhere that "
        "of comma, semicolon, tab and bar that gives the header most cells)",
    )
    parser.add_argument(
        "--key", metavar="COLUMN", help="unique names of the examples (default: the row number)"
    )
    parser.add_argument("--seed", type=_seed, default=0, help="seed of the sampling, from 0 (default 0)")
    parser.add_argument("--per-shard", action="store_true", help="also write keep/FILE.parquet for each")
    parser.add_argument(
        "--uids", action="store_true", help="also write uids.npy, the sorted uids that DataComp's tools take"
    )
    parser.add_argument(
        "--processes",
        type=_processes,
        default=min(2, available_cores()),
        metavar="N",
        help="processes to use; the results do not depend on it (default: 2, or 1 on one core)",
    )
    parser.add_argument("--out", type=_folder, required=True, metavar="FOLDER", help="folder for the results")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """The settings of M4 (section 5)."""
    parser.add_argument(
        "--target",
        nargs="+",
        type=_target,
        default=[],
        metavar="GROUP:SHARE",
        help="targets, such as sex=Male:0.5; the other groups of an exclusive column share the rest",
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
        "--penalty",
        type=float,
        help="price V of one unit of violation (default 10; with --rate max it grows until no constraint is "
        "violated)",
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


def _folder(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a folder, given nothing")
    return text


def _seed(text: str) -> int:
    return _whole_number(text, least=0)


def _processes(text: str) -> int:
    return _whole_number(text, least=1)


def _whole_number(text: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {least}")
    return int(text)


def _separator(text: str) -> str:
    text = "\t" if text in ("tab", "\\t") else text
    if len(text) != 1 or not text.isascii() or text in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r}: expected one ASCII character other than a quote, or tab")
    return text
