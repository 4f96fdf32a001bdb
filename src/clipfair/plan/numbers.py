"""Numbers of the configuration: one spelling for paths, however a number is written."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any


def canonical_number(value: int | float | str) -> str:
    """The one spelling of a number in paths and catalogues: ``0.05``, ``1``, ``1e-7``.

    Decimal notation down to 1e-4 and up to 1e6, exponents without padding beyond.

    Raises
    ------
    ValueError
        If ``value`` is not a finite number.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    if number == 0:
        return "0"
    if Decimal("1e-4") <= abs(number) < Decimal("1e6"):
        return f"{number.normalize():f}"
    digits, _, exponent = f"{number.normalize():e}".partition("e")
    return f"{digits}e{int(exponent)}"


# What YAML 1.1 takes for text, as it wants a point in the digits and a sign in the exponent.
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def read_numbers(value: Any) -> Any:
    """A value of a YAML file, with numbers such as ``1e-7`` as numbers, at any depth."""
    if isinstance(value, Mapping):
        return {key: read_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [read_numbers(item) for item in value]
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value
