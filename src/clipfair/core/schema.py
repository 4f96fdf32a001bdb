"""Closed JSON schemas: what breaks one is said in one line that names the known values."""

import difflib
from collections.abc import Iterable, Mapping

from jsonschema import Draft202012Validator, ValidationError

from clipfair.core.errors import UserError


def check_schema(value: object, schema: Mapping, *, where: str) -> None:
    """Check ``value``, read from ``where``.

    Raises
    ------
    UserError
        The first violation in the order of the file: which key, what is wrong, what is known.
    """
    errors = list(Draft202012Validator(schema).iter_errors(value))
    if errors:
        first = min(errors, key=lambda error: [str(step) for step in error.absolute_path])
        raise UserError(f"{_place(where, first)}: {_explain(first)}")


def unknown(what: str, value: str, known: Iterable[str]) -> str:
    """``unknown dataset 'adlt' (did you mean 'adult'?); known: adult, credit-default``."""
    names = sorted(known)
    close = difflib.get_close_matches(value, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {value!r}{hint}; known: {', '.join(names) or 'none'}"


def _place(where: str, error: ValidationError) -> str:
    """``config.grids.table5.seeds[3]``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    return where + "".join(steps)


def _explain(error: ValidationError) -> str:
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = error.schema.get("properties", {})
        return unknown("key", sorted(set(error.instance) - set(known))[0], known)
    if error.validator == "required":
        missing = [key for key in error.schema["required"] if key not in error.instance]
        return f"missing {', '.join(missing)}"
    if error.validator == "type":
        expected = error.schema["type"]
        kinds = expected if isinstance(expected, str) else " or ".join(expected)
        return f"{error.instance!r} is not of type {kinds}"
    if error.validator == "enum":
        return unknown("value", str(error.instance), map(str, error.schema["enum"]))
    return " ".join(error.message.split())
