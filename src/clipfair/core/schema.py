"""Names that are not known: one line that lists the known ones."""

import difflib
from collections.abc import Iterable


def unknown(what: str, value: str, known: Iterable[str]) -> str:
    """``unknown dataset 'adlt' (did you mean 'adult'?); known: adult, credit-default``."""
    names = sorted(known)
    close = difflib.get_close_matches(value, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {value!r}{hint}; known: {', '.join(names) or 'none'}"
