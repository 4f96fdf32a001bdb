"""Names of annotation columns: ``[modality.]attribute=value``, one boolean for each value of an attribute."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MODALITIES = ("text", "image")
# The modality of a column that names none: labels of an example as a whole.
ANY_MODALITY = "any"
# Columns of annotations that belong to no attribute.
NOT_ATTRIBUTES = ("key", "human", "similarity")
_NAME = re.compile(rf"(?:(?P<modality>{'|'.join(MODALITIES)})\.)?(?P<attribute>[^.=]+)=(?P<value>.+)")


@dataclass(frozen=True)
class AnnotationColumn:
    """One value of an attribute in one modality: ``text``, ``image``, or ``any``."""

    modality: str
    attribute: str
    value: str

    @property
    def attribute_value(self) -> str:
        """``attribute=value``, without the modality."""
        return f"{self.attribute}={self.value}"

    @property
    def name(self) -> str:
        """The column's name: ``modality.attribute=value``, or ``attribute=value`` for ``any``."""
        prefix = "" if self.modality == ANY_MODALITY else f"{self.modality}."
        return prefix + self.attribute_value


def parse_column(name: str) -> AnnotationColumn | None:
    """Return the attribute value that a column's name stands for, None for any other column."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return AnnotationColumn(match["modality"] or ANY_MODALITY, match["attribute"], match["value"])


def columns_by_attribute(
    names: Iterable[str], *, modalities: Sequence[str] = (*MODALITIES, ANY_MODALITY)
) -> dict[str, list[AnnotationColumn]]:
    """Group the attribute columns among ``names`` by attribute, in the order of ``names``."""
    grouped: dict[str, list[AnnotationColumn]] = {}
    for column in filter(None, map(parse_column, names)):
        if column.modality in modalities:
            grouped.setdefault(column.attribute, []).append(column)
    return grouped
