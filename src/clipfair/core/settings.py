"""Typed settings, described only by a pydantic model; errors take one line."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from clipfair.core.errors import UserError, unknown

Key = tuple[str | int, ...]


class Violation(ValueError):  # noqa: N818 - it becomes a UserError where the file is known
    """A value that its model refuses.

    Attributes
    ----------
    key : the path to the entry at fault.
    message : what is wrong, in one line.
    offending : the path to the value itself; ``key`` and one step more for an unknown key.
    """

    def __init__(self, key: Sequence[str | int], message: str, *, offending: Sequence[str | int] = ()):
        super().__init__(message)
        self.key: Key = tuple(key)
        self.message = message
        self.offending: Key = tuple(offending) or self.key


class SettingsModel(BaseModel):
    """Base of all settings: immutable, closed, and strict (no text is read as a number).

    The string below a field is its description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, values: Any) -> Any:
        """Refuse an unknown name here, where the known ones can be listed."""
        if cls.model_config["extra"] == "forbid":
            refuse_unknown(values, [field.alias or name for name, field in cls.model_fields.items()])
        return values


def refuse_unknown(values: Any, known: Iterable[str]) -> None:
    """Raise an error for pydantic on the first key of a mapping that is not known."""
    names = set(known)
    for name in values if isinstance(values, Mapping) else ():
        if name not in names:
            message = unknown("setting", str(name), names)
            raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": name})


def parse(model: Any, values: object) -> Any:
    """Build ``model``, a type that pydantic knows, from plain values.

    Raises
    ------
    Violation
        The first violation.
    """
    try:
        return _adapter(model).validate_python(values)
    except ValidationError as error:
        raise first_violation(error, values) from None


_adapter = cache(TypeAdapter)


def parse_settings(model: Any, values: object, *, where: str) -> Any:
    """Build ``model`` from plain values, such as those of a YAML file.

    Raises
    ------
    UserError
        On an unknown or missing name, a wrong type or a value out of range. The message starts with
        ``where`` and the path of the setting.
    """
    try:
        return parse(model, values)
    except Violation as violation:
        raise UserError(f"{spell([where, *violation.key])}: {violation.message}") from None


def parse_settings_of(models: Mapping[str, Any], name: str, values: object, *, what: str) -> Any:
    """Build the model that ``models`` has under ``name`` from plain values.

    Raises
    ------
    UserError
        If there is no such name, where ``what`` says what it should name; or as :func:`parse_settings`.
    """
    if name not in models:
        raise UserError(unknown(what, name, models))
    return parse_settings(models[name], values, where=name)


def spell(key: Iterable[str | int]) -> str:
    """``grids.table5.seeds[3]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key).removeprefix(".")


def first_violation(error: ValidationError, values: object) -> Violation:
    """The first violation that pydantic found in ``values``."""
    found = [(_path_in(values, item["loc"]), item) for item in error.errors()]
    # A union reports one error for each of its types: the type that was meant is the one that goes deepest.
    start = found[0][0]
    place = max((path for path, _ in found if path[: len(start)] == start), key=len)
    items = [item for path, item in found if path == place]
    missing = [repr(item["loc"][-1]) for item in items if item["type"] == "missing"]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        return Violation(place, f"missing setting{plural} {', '.join(missing)}{_similar(values, place)}")
    message = " or ".join(dict.fromkeys(map(_explain, items)))
    return Violation(place, message, offending=(*place, *_offending(items[0])))


def _similar(values: Any, place: Key) -> str:
    """A question whether an entry next to the one at ``place``, of almost the same name, was meant."""
    for step in place[:-1]:
        values = values[step]
    if not place or not isinstance(values, Mapping):
        return ""
    name = str(place[-1])
    others = [str(other) for other in values if str(other) != name]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.9)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _path_in(values: Any, location: tuple[int | str, ...]) -> Key:
    """The steps of an error's location that exist in ``values``; the others name the types of a union."""
    path = []
    for step in location:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    return tuple(path)


def _offending(item: Mapping) -> tuple[str, ...]:
    return (item["ctx"]["key"],) if item["type"] == "unknown_key" else ()


def _explain(item: Mapping) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind in ("model_type", "dict_type", "mapping_type", "dataclass_type"):
        return wrong_type(value, "a mapping")
    if kind in ("sequence_str", "list_type", "tuple_type"):
        return wrong_type(value, "a list")
    if kind == "too_short":
        return f"{value!r} has {context['actual_length']} items; expected {context['min_length']} or more"
    if kind == "string_pattern_mismatch":
        return f"{value!r} should match the pattern {context['pattern']!r}"
    if kind == "union_tag_invalid":
        return unknown("kind", str(context["tag"]), _quoted(context["expected_tags"]))
    if kind == "union_tag_not_found":
        return f"missing setting {context['discriminator']}"
    message = item["msg"].removeprefix("Value error, ")
    if message.startswith("Input should be "):
        return wrong_type(value, message.removeprefix("Input should be "))
    return message.replace("Input", repr(value), 1)


def wrong_type(value: object, expected: str) -> str:
    """``3 should be a mapping``, or ``no value; expected a mapping``."""
    return f"no value; expected {expected}" if value is None else f"{value!r} should be {expected}"


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)
