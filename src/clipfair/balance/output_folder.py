"""The output folder of a command: its files appear together once all of them are complete."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from clipfair.core.errors import REMEDIES, UserError

# Files of an earlier run that must not stay if this run does not write them.
_SAMPLE_FILES = ("keep.parquet", "uids.npy")
_STAGE = ".clipfair-partial"


@contextlib.contextmanager
def output_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder; move its files to ``path`` if the block succeeds.

    On any error, also an interrupt, it is removed and ``path`` is left as it was. It is a hidden folder in
    ``path``, always of the same name, so that the next run removes what a killed one left. Two processes must
    not write to one folder at the same time.

    Raises
    ------
    UserError
        If a folder is where a file is to be written.
    """
    folder = Path(path)
    stage = folder / _STAGE
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
    except OSError as error:
        _remove_empty(created)
        error.filename = str(folder)
        if error.errno in REMEDIES:
            raise
        raise UserError(f"{folder}: cannot be created ({error.strerror}): choose another --out") from None
    try:
        yield stage
        _publish(stage, folder)
    except BaseException as error:
        shutil.rmtree(stage, ignore_errors=True)
        _remove_empty(created)
        if isinstance(error, OSError) and error.filename is not None:
            error.filename = str(error.filename).replace(f"{_STAGE}/", "")
        raise
    shutil.rmtree(stage)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders from the innermost on, as long as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _publish(stage: Path, folder: Path) -> None:
    files = [file.relative_to(stage) for file in sorted(stage.rglob("*")) if file.is_file()]
    for file in files:
        if (folder / file).is_dir():
            raise UserError(f"{folder / file}: is a folder, but a file is written there: remove or rename it")
        (folder / file).parent.mkdir(exist_ok=True)
    earlier = [Path(name) for name in _SAMPLE_FILES]
    earlier += [file.relative_to(folder) for file in (folder / "keep").glob("*.parquet")]
    for file in earlier:
        if file not in files:
            (folder / file).unlink(missing_ok=True)
    for file in files:
        (stage / file).replace(folder / file)
