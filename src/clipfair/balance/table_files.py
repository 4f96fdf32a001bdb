"""The kinds of files that hold tables: their endings, compression and separators, and folders of shards."""

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as pa_csv

from clipfair.core.errors import UserError

PARQUET_ENDINGS = frozenset({".parquet", ".pq"})
TEXT_ENDINGS = frozenset({".csv", ".tsv", ".txt"})
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
ENDINGS = ".parquet, .pq, .csv, .tsv or .txt (text also with .gz, .bz2 or .zst)"
# Cells of a text file that hold no value.
MISSING_MARKS = ("", "NA", "N/A", "n/a", "nan", "NaN", "<NA>", "null", "NULL", "?")

# The first bytes of files that are not text, with what they are.
_BEGINNINGS = {
    b"PAR1": "a parquet file: rename it to end in .parquet",
    b"\x1f\x8b": "compressed by gzip: rename it to end in .gz",
    b"BZh": "compressed by bzip2: rename it to end in .bz2",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: rename it to end in .zst",
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as csv",
    b"\xff\xfe": "UTF-16: convert it first, such as: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16: convert it first, such as: iconv -f UTF-16 -t UTF-8",
}
_SEPARATORS = ",;\t|"
_OUTPUTS = ("weights.parquet", "keep.parquet", "keep")
_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 24


def kind_of(path: Path) -> str | None:
    """``"parquet"`` or ``"text"`` by the ending of a file's name, without regard to case; None for others."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] in PARQUET_ENDINGS:
        return "parquet"
    if len(endings) > 1 and endings[-1] in COMPRESSIONS:
        endings.pop()
    return "text" if endings and endings[-1] in TEXT_ENDINGS else None


def find_files(paths: Sequence[str | Path], *, out: str | Path) -> list[Path]:
    """The files of tables: each path that is a file, and all tables in each path that is a folder, sorted.

    The output folder ``out`` may be in one of these folders: its files are no tables.

    Raises
    ------
    UserError
        If a folder has no table, a file is named twice, or a table could be replaced by an output.
    """
    found: list[Path] = []
    place = Path(out).resolve()
    for path in map(Path, paths):
        if place == path.resolve() or path.resolve() in [place / name for name in _OUTPUTS]:
            raise UserError(f"{path}: --out {out} could replace it: give a folder of its own for the results")
        if not path.is_dir():
            found.append(path)
            continue
        files = [file for file in path.rglob("*") if _is_shard(file, path)]
        if path.resolve() in place.parents:
            files = [file for file in files if place not in file.resolve().parents]
        inside = sorted(files)
        if not inside:
            raise UserError(f"{path}: no table in this folder: give a folder with files in {ENDINGS}")
        found += inside
    known = set()
    for path in found:
        if path.resolve() in known:
            raise UserError(f"{path}: named twice: give each file once")
        known.add(path.resolve())
    return found


def _is_shard(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return file.is_file() and not hidden and kind_of(file) is not None


def open_text(
    path: Path, columns: Sequence[str] | None = None, *, separator: str | None = None
) -> pa_csv.CSVStreamingReader:
    """Open a file of separated text; every cell is read as text.

    Parameters
    ----------
    columns : the columns to read; by default only the header is of use.
    separator : of the cells; None for tab in .tsv, and elsewhere for the one of comma, semicolon, tab and bar
        that gives the first row the most cells.
    """
    convert = pa_csv.ConvertOptions(
        include_columns=None if columns is None else list(columns),
        column_types=None if columns is None else dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        null_values=list(MISSING_MARKS),
    )
    head = _head(path)
    if separator is None:
        separator = "\t" if ".tsv" in path.name.lower() else _separator(head)
    return pa_csv.open_csv(
        pa.input_stream(path, compression=_compression(path)),
        read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=convert,
    )


def _compression(path: Path) -> str | None:
    return COMPRESSIONS.get(path.suffix.lower())


def _head(path: Path) -> str:
    """The first characters of a file of text."""
    with pa.input_stream(path, compression=_compression(path)) as stream:
        start = stream.read(_HEAD_BYTES)
    for beginning, what in _BEGINNINGS.items():
        if start[: len(beginning)] == beginning:
            raise UserError(f"{path}: {what}")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8: convert it first, such as: iconv -f LATIN1 -t UTF-8") from None


def _separator(head: str) -> str:
    def cells(separator: str) -> int:
        # newline=None reads all three kinds of line ends.
        return len(next(csv.reader(io.StringIO(head, newline=None), delimiter=separator), []))

    return max(_SEPARATORS, key=cells)
