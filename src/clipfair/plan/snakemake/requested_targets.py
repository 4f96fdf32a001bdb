"""The targets on Snakemake's command line, known before it has planned anything."""

from collections.abc import Sequence


def requested_targets(arguments: Sequence[str]) -> list[str]:
    """Return the targets among the arguments of a ``snakemake`` command; none if it names none.

    Snakemake reads the Snakefile before it has settings of a plan, so its own parser is asked. Options that
    it does not know (those of an entry point of ours) are ignored.
    """
    # Late: a job of the workflow, which has no targets of a user, does not need it.
    from snakemake.cli import get_argument_parser

    known, _ = get_argument_parser().parse_known_args(list(arguments))
    return sorted(known.targets or [])
