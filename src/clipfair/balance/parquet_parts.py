"""A parquet file that is written part by part."""

import contextlib
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet as pq

from clipfair.core.io import atomic_path


class ParquetParts:
    """A parquet file that appears once the block has ended without error; the first part gives the schema."""

    def __init__(self, path: Path):
        self._stack, self._path, self._writer = contextlib.ExitStack(), path, None

    def __enter__(self) -> "ParquetParts":
        self._temporary = self._stack.enter_context(atomic_path(self._path))
        return self

    def write(self, columns: dict) -> None:
        """Append rows."""
        part = pa.table(columns)
        try:
            if self._writer is None:
                self._writer = self._stack.enter_context(pq.ParquetWriter(self._temporary, part.schema))
            self._writer.write_table(part)
        except OSError as error:
            # A full disk names no file, and the error passes the blocks of the other files that are open.
            error.filename = error.filename or str(self._path)
            raise

    def __exit__(self, *error: object) -> bool | None:
        return self._stack.__exit__(*error)
