"""Types shared by the entries of several catalogues."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from clipfair.core.errors import unknown
from clipfair.core.settings import SettingsModel
from clipfair.data.rows import HASH_RANK
from clipfair.plan.numbers import canonical_number

NONE = "none"
ROLE = "$"
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")
_OWN_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_own(kind: object) -> bool:
    """Whether a kind is written as ``module:function``, a user-defined function."""
    return isinstance(kind, str) and _OWN_FUNCTION.fullmatch(kind) is not None


def word_or_own(*words: str) -> Any:
    """The type of a string that is one of ``words`` or ``module:function``."""

    def check(value: str) -> str:
        if value not in words and not is_own(value):
            raise ValueError(f"{unknown('value', value, words)}; or module:function, your own")
        return value

    return Annotated[str, AfterValidator(check)]


def _check_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"the id {value!r} may only have a-z, 0-9, '.' and '-'")
    return value


def _canonical_lam(value: Any) -> str:
    """λ in its canonical spelling; a role is left unchanged until the study is known."""
    if isinstance(value, str) and value.startswith(ROLE):
        return value
    try:
        spelling = canonical_number(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a number; expected one such as 1e-7") from None
    if spelling.startswith("-"):
        raise ValueError(f"{spelling} is negative; expected 0 or more")
    return spelling


def _expand_home(value: str) -> str:
    """Expand ``~`` to the user's home folder, as a shell does."""
    return str(Path(value).expanduser()) if value.startswith("~") else value


def _check_unique(values: Iterable) -> Iterable:
    seen = []
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} is listed twice")
        seen.append(value)
    return values


Unique = AfterValidator(_check_unique)
# A validated entry as a plain mapping with the keys that were given, also in a dump.
PLAIN = (AfterValidator(lambda entry: entry.model_dump(exclude_unset=True)), PlainSerializer(dict))
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
PositiveShare = Annotated[Number, Field(gt=0, le=1)]
Whole = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Id = Annotated[str, AfterValidator(_check_id)]
Lam = Annotated[str, BeforeValidator(_canonical_lam)]
# The range of seeds that all libraries accept.
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Seeds = Annotated[list[Seed], Field(min_length=1), Unique]
Ids = Annotated[list[str], Unique]
SomeIds = Annotated[list[str], Field(min_length=1), Unique]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
UserPath = Annotated[str, Field(min_length=1), AfterValidator(_expand_home)]
Url = Annotated[str, Field(pattern=r"^https?://")]


def _check_where(where: dict[str, Any]) -> dict[str, Any]:
    rank = where.get(HASH_RANK)
    if rank is not None and not (
        isinstance(rank, dict)
        and len(rank) == 1
        and rank.keys() <= {"below", "from"}
        and all(type(bound) is int and bound >= 1 for bound in rank.values())
    ):
        raise ValueError(f"{HASH_RANK} is {rank!r}; expected {{below: n}} or {{from: n}} with n of 1 or more")
    return where


# Conditions on the rows of a table: column -> value or list of values.
Where = Annotated[dict[str, Any], Field(min_length=1), AfterValidator(_check_where)]


class CatalogueEntry(SettingsModel):
    """An entry of a catalogue, with the two keys that every catalogue has."""

    like: str | None = Field(default=None, exclude=True)
    """Id of an entry of the same catalogue that supplies the keys not given here, except `name` and
    `baseline`."""
    name: str = Field(default="", exclude=True)
    """Name in tables; the id unless given."""

    def job_settings(self) -> dict:
        """The settings given, as plain values for a job; without `name`, which changes no result."""
        return self.model_dump(exclude_unset=True)
