"""The targets on Snakemake's command line, known before it has planned anything."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from clipfair.core.errors import UserError


def requested_targets(arguments: Sequence[str]) -> list[str]:
    """Return the targets among the arguments of a ``snakemake`` command; none if it names none.

    Snakemake reads the Snakefile before it has settings of a plan, so its own parser is asked. Options that
    it does not know (those of an entry point of ours) are ignored.
    """
    return sorted(_parse(arguments).targets or [])


def named_targets(arguments: Sequence[str]) -> list[str]:
    """Return the targets, and the rules and files that ``--forcerun``, ``--until``, ``--omit-from`` name."""
    known = _parse(arguments)
    groups = (known.targets, known.forcerun, known.until, known.omit_from)
    return sorted({name for group in groups for name in group or ()})


def _parse(arguments: Sequence[str]) -> Any:
    # Late: a job of the workflow, which has no targets of a user, does not need it.
    from snakemake.cli import get_argument_parser

    return get_argument_parser().parse_known_args(list(arguments))[0]


def is_made(workflow: Any) -> Callable[[str], bool]:
    """Return a function that says whether a rule of ``workflow``, Snakemake's object, makes a file."""

    def made(target: str) -> bool:
        file = target if Path(target).is_absolute() else os.path.relpath(target)
        return any(rule.is_producer(file) for rule in workflow.rules)

    return made


def check_rules(workflow: Any, targets: Iterable[str]) -> None:
    """Check that no target is a rule with wildcards, which makes many files.

    Raises
    ------
    UserError
        The first that is.
    """
    for target in targets:
        if workflow.is_rule(target) and workflow.get_rule(target).has_wildcards():
            raise UserError(f"{target}: a rule that makes many files; name one of the files (docs/tables.md)")
