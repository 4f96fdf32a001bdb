"""One-line message for a wrong value: the file and key that set it, the error, and the remedy."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from clipfair.core import paths
from clipfair.core.settings import Key, Violation, spell, wrong_type
from clipfair.plan.configuration.types import ROLE
from clipfair.plan.configuration_files import ABSENT, COMMAND_LINE, file_of, value_at
from clipfair.plan.resolve import MERGED


def message_of(violation: Violation, config: Mapping, files: Sequence[str | Path]) -> str:
    """``config/tables/m4.yaml: grids.table5.seeds: ...``, with the file and entry that set the value."""
    named = _origin(violation.key, config)
    key = _role_key(named, violation.message, config) or named
    offending = (*key, *violation.offending[len(violation.key) :])
    value = value_at(config, offending)
    file = file_of(offending, value, files) if files else ""
    place = ": ".join(filter(None, [_relative(file), spell(key)]))
    notes = [f" (in {spell(named)})" if key != named else _role_note(key, config)]
    if file == COMMAND_LINE and len(key) > 1:
        notes.append(_text_note(value))
    if isinstance(value, str) and violation.message.endswith(wrong_type(value, "a list")):
        notes.append(f'; write "{key[-1]}=[{value}]"' if file == COMMAND_LINE else f"; write [{value}]")
    return f"{place}: {violation.message}{''.join(notes)}"


def _origin(key: Key, config: Mapping) -> Key:
    """The key that sets a value, in a grid of the study or in the entry named by `like`."""
    own = ("studies", _study_with_grids(config), "grids")
    if len(key) == 2 and key[0] == "grids" and value_at(config, key) is ABSENT:
        of_study = (*own, key[1])
        return key if value_at(config, of_study) is ABSENT else of_study
    if len(key) < 3:
        return key
    catalogue, name, *rest = key
    for place in ((*own, name), (catalogue, name)) if catalogue == "grids" else ((catalogue, name),):
        entry = value_at(config, place)
        if isinstance(entry, Mapping):
            if rest[0] in entry and not _is_taken_over(rest, entry):
                return (*place, *rest)
            if "like" in entry and rest[0] != "like":
                return _origin((catalogue, entry["like"], *rest), config)
    return key


def _is_taken_over(rest: Sequence, entry: Mapping) -> bool:
    """Whether a key of the settings of an entry comes from the entry named by `like`."""
    own = entry[rest[0]]
    return rest[0] == MERGED and "like" in entry and len(rest) > 1 and value_at(own, rest[1:2]) is ABSENT


def _study_with_grids(config: Mapping) -> object:
    """The study that supplies the grids of the chosen one: itself, or one named by `like`."""
    return _study_with(config, lambda study: "grids" in study)


def _study_with(config: Mapping, has: Callable[[Mapping], bool]) -> object:
    """The first study in the chain of `like` for which ``has`` is true; otherwise the last of the chain."""
    name = config.get("study")
    for _ in config.get("studies", {}):  # no chain is longer
        study = value_at(config, ("studies", name))
        if not isinstance(study, Mapping) or has(study) or "like" not in study:
            break
        name = study["like"]
    return name


def _role_key(key: Key, message: str, config: Mapping) -> Key:
    """The key of the role that supplies a value; empty if no role does, or if the role is ambiguous."""
    written, steps = value_at(config, key), ()
    if key and isinstance(key[-1], int) and isinstance(within := value_at(config, key[:-1]), list):
        written, steps = _item_at(within, key[-1], config)
    items = written if isinstance(written, list) else [written]
    roles = [item for item in items if isinstance(item, str) and item.startswith(ROLE)]
    if len(items) > 1:
        roles = [role for role in roles if any(repr(value) in message for value in _bound(role, config))]
        others = [item for item in items if item not in roles and repr(item) in message]
        roles = [] if others else roles
    return (*_key_of(roles[0], config), *steps) if len(roles) == 1 else ()


def _item_at(items: list, position: int, config: Mapping) -> tuple[object, tuple[int, ...]]:
    """The item of a list at a position after roles are resolved; for the list of a role, also the position in
    it."""
    for item in items:
        is_role = isinstance(item, str) and item.startswith(ROLE)
        values = value_at(config, _key_of(item, config)) if is_role else item
        size = len(values) if is_role and isinstance(values, list) else 1
        if position < size:
            return item, (position,) if is_role and isinstance(values, list) else ()
        position -= size
    return ABSENT, ()


def _bound(role: str, config: Mapping) -> list:
    values = value_at(config, _key_of(role, config))
    return values if isinstance(values, list) else [values]


def _key_of(role: str, config: Mapping) -> Key:
    """The key that binds a role, in the chosen study or in one named by `like`."""
    name = role.removeprefix(ROLE)
    study = _study_with(config, lambda entry: name in entry.get("roles", {}))
    return ("studies", study, "roles", name)


def _text_note(value: object) -> str:
    """Explain that Snakemake reads values within a mapping or a list on its command line as text."""
    is_text = isinstance(value, str) and not isinstance(yaml.safe_load(value), str)
    return (
        "; in a mapping or a list --config gives text: write it into a file for --configfile"
        if is_text
        else ""
    )


def _role_note(key: Key, config: Mapping) -> str:
    """The role that supplies a value, if the entry names one."""
    written = value_at(config, key)
    items = written if isinstance(written, list) else [written]
    roles = [item for item in items if isinstance(item, str) and item.startswith(ROLE)]
    if not roles:
        return ""
    return f" ({', '.join(roles)}: see studies.{config.get('study')}.roles)"


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else file
