"""Vocabularies that entries of the configuration name."""

from collections.abc import Mapping, Sequence

import yaml

from clipfair.core import paths
from clipfair.core.errors import UserError


def spell_out(line: Mapping) -> dict:
    """An evaluation's line with the name of a vocabulary of occupations replaced by its values.

    So a change of the vocabulary is a change of the evaluation.
    """
    if "occupations" not in line:
        return dict(line)
    return {**line, "occupations": list(occupations(line["occupations"]))}


def occupations(chosen: str | Sequence[str]) -> tuple[str, ...]:
    """The occupations of a list, or all values of the vocabulary of that name in ``resources/vocabulary``.

    Raises
    ------
    UserError
        If there is no such vocabulary.
    """
    if not isinstance(chosen, str):
        return tuple(chosen)
    path = paths.ROOT / f"resources/vocabulary/{chosen}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise UserError(f"config.yaml: occupations: no vocabulary {chosen!r}; known: {', '.join(known)}")
    return tuple(yaml.safe_load(path.read_text(encoding="utf-8"))["values"])
