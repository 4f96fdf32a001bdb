"""Typed settings: a pydantic model is their only description, and an error is one line."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from clipfair.core.errors import UserError
from clipfair.core.schema import unknown


class SettingsModel(BaseModel):
    """Base of all settings: immutable, closed, and strict (no text is read as a number).

    The string below a field is its description in the JSON schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, values: Any) -> Any:
        """Refuse an unknown name here, where the known ones can be listed."""
        for name in values if isinstance(values, Mapping) else ():
            if name not in cls.model_fields:
                message = unknown("setting", name, cls.model_fields)
                raise PydanticCustomError("unknown_setting", "{message}", {"message": message})
        return values


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def parse_settings(model: type[AnySettings], values: object, *, where: str) -> AnySettings:
    """Build ``model`` from plain values, such as those of a YAML file.

    Raises
    ------
    UserError
        On an unknown or missing name, a wrong type or a value out of range. The message starts with
        ``where`` and the path of the setting.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(first_violation(error, values, where=where)) from None


def parse_settings_of(
    models: Mapping[str, type[AnySettings]], name: str, values: object, *, what: str
) -> AnySettings:
    """Build the model that ``models`` has under ``name`` from plain values.

    Raises
    ------
    UserError
        If there is no such name, where ``what`` says what it should name; or as :func:`parse_settings`.
    """
    if name not in models:
        raise UserError(unknown(what, name, models))
    return parse_settings(models[name], values, where=name)


def first_violation(error: ValidationError, values: object, *, where: str) -> str:
    """One line on the first violation that pydantic found in ``values``, which were read from ``where``."""
    found = [(_path_in(values, item["loc"]), item) for item in error.errors()]
    # A union reports one error for each of its types: the type that was meant is the one that goes deepest.
    start = found[0][0]
    place = max((path for path, _ in found if path[: len(start)] == start), key=len)
    problems = [_explain(item) for path, item in found if path == place]
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f"{where}{''.join(steps)}: {' or '.join(dict.fromkeys(problems))}"


def _path_in(values: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The steps of an error's location that exist in ``values``; the others name the types of a union."""
    path = []
    for step in location:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    return tuple(path)


def _explain(item: Mapping) -> str:
    if item["type"] == "missing":
        return f"missing setting {item['loc'][-1]!r}"
    if item["type"] in ("model_type", "dict_type", "mapping_type"):
        return f"{item['input']!r} should be a mapping"
    if item["type"] in ("sequence_str", "list_type", "tuple_type"):
        return f"{item['input']!r} should be a list"
    return item["msg"].removeprefix("Value error, ").replace("Input", repr(item["input"]), 1)
