"""The keys of examples as they are written: their type, DataComp's form, and the names of shards."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.table import AnnotationTable
from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path

_WHOLE_NUMBER = r"^-?(0|[1-9][0-9]{0,17})$"
_UID = r"^[0-9a-fA-F]{32}$"


def written_key_type(tables: Sequence[AnnotationTable], key: str | None) -> pa.DataType:
    """The type in which keys are written: that of their column, or int64 for text that is all whole numbers.

    Numbers with leading zeros stay text. Without a key column keys are row numbers.

    Raises
    ------
    UserError
        If a key column holds anything but text or integers.
    """
    types = {pa.int64()} if key is None else {_key_type(table, key) for table in tables}
    return types.pop() if len(types) == 1 else pa.string()


def _key_type(table: AnnotationTable, key: str) -> pa.DataType:
    kind = table.types[key]
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if table.kind == "text":
        numbers = (
            pc.all(pc.match_substring_regex(batch.column(key), _WHOLE_NUMBER), skip_nulls=False).as_py()
            for batch in table.batches([key])
        )
        return pa.int64() if all(numbers) else pa.string()
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(f"{table.path}: column {key!r} holds {kind}: a key must be text or an integer")
    return kind


def shard_names(tables: Sequence[AnnotationTable]) -> list[str]:
    """The names of the tables' files without their endings; a name must occur once."""
    names = [table.path.name.split(".")[0] for table in tables]
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise UserError(f"{times} files are named {name}: a keep-list for each file needs different names")
    return names


def datacomp_uids(keys: pa.Array) -> np.ndarray:
    """Keys as DataComp's tools take them: the two halves of 32 hexadecimal digits as a pair of uint64."""
    texts = pc.cast(keys, pa.string())
    if pc.all(pc.match_substring_regex(texts, _UID)).as_py() is False:
        raise UserError("uids.npy holds DataComp's uids: give --key uid, a column of 32 hexadecimal digits")
    pairs = [(int(text[:16], 16), int(text[16:], 16)) for text in texts.to_pylist()]
    return np.array(pairs, dtype="u8,u8")


def write_uids(path: Path, uids: np.ndarray) -> None:
    """Write the sorted uids for :func:`numpy.load`.

    Not with :func:`numpy.save`: its error on a full disk has neither a number nor the file.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(uids))
        stream.write(np.sort(uids).view(np.uint8).data)
