"""Configuration files: their list, YAML validity, and the source file of each key.

``python -m clipfair.plan.configuration_files FILE...`` checks files.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clipfair.core.errors import UserError, one_line_errors
from clipfair.core.settings import Key, spell

COMMAND_LINE = "--config"


def configuration_files(root: str | Path) -> list[Path]:
    """The files of a repository's configuration; a later one takes precedence: config.yaml is the last."""
    return [*sorted(Path(root, "config").rglob("*.yaml")), Path(root, "config.yaml")]


def read_configuration(files: Sequence[str | Path]) -> dict:
    """The files merged as Snakemake does it: mappings key by key; anything else is replaced.

    Raises
    ------
    UserError
        If a file is not YAML, has a key twice, or is no mapping.
    """
    merged: dict = {}
    for file in files:
        merge(merged, read_file(file))
    return merged


def check_files(files: Sequence[str | Path]) -> None:
    """Raise :class:`UserError` if :func:`read_file` refuses one of the files, or it is empty."""
    for file in files:
        if not read_file(file):
            raise UserError(f"{file}: empty; expected a mapping of keys and values")


def merge(into: dict, other: Mapping) -> dict:
    """Merge ``other`` into ``into``, which is changed and returned."""
    for key, value in other.items():
        if isinstance(value, Mapping):
            known = into.get(key)
            into[key] = merge(known if isinstance(known, dict) else {}, value)
        else:
            into[key] = value
    return into


def read_file(path: str | Path) -> dict:
    """One file.

    Raises
    ------
    UserError
        If it is not YAML, has a key twice, or is no mapping.
    """
    try:
        with Path(path).open(encoding="utf-8") as stream:
            value = yaml.load(stream, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise UserError(f"{path}{line}: not valid YAML: {error.problem}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it in that encoding") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name a file that you can read") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a mapping of keys and values, found {type(value).__name__}")
    return value


class _Loader(yaml.CSafeLoader):
    """A safe loader that refuses a duplicate key, and an alias within its own anchor."""

    def construct_document(self, node: yaml.Node) -> Any:
        # PyYAML finds such an alias only if the values in an entry are constructed before the entry.
        self.deep_construct = True
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} is there twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def file_of(key: Key, value: object, files: Sequence[str | Path]) -> str:
    """The file that sets a key of the merged configuration to ``value``: the last that does.

    A value that no file sets was given on the command line. A key that the configuration does not have (one
    that an entry has by ``like``), with :data:`ABSENT` as value, is that of the nearest entry around it.
    """
    contents = {str(file): read_file(file) for file in reversed(files)}
    for length in range(len(key), 0, -1):
        found = {file: value_at(content, key[:length]) for file, content in contents.items()}
        holders = {file: held for file, held in found.items() if held is not ABSENT}
        exact = length == len(key) and value is not ABSENT and not isinstance(value, Mapping)
        if holders or exact:
            same = [file for file, held in holders.items() if not exact or _is_same(held, value)]
            return same[0] if same else COMMAND_LINE
    return COMMAND_LINE


ABSENT = object()


def value_at(value: Any, key: Sequence) -> Any:
    """The value at a path of keys and positions, :data:`ABSENT` if there is none."""
    for step in key:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value


def _is_same(one: object, other: object) -> bool:
    return one == other or repr(one) == repr(other)  # NaN does not equal itself


def place_of(file: str, key: Key) -> str:
    """``config/tables/m4.yaml: grids.table5.seeds``."""
    return ": ".join(filter(None, [file, spell(key)]))


if __name__ == "__main__":
    with one_line_errors():
        check_files(sys.argv[1:])
