"""The catalogue of datasets: ``resources/datasets.yaml`` as frozen dataclasses."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from clipfair.core.errors import UserError
from clipfair.core.schema import check_schema


@dataclass(frozen=True)
class Archive:
    """One file to download, or to find in the mirror folder under the name ``file``.

    ``size`` is in bytes; what is not published is None. An archive is unpacked unless
    ``unpack`` is False.
    """

    file: str
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    unpack: bool = True


@dataclass(frozen=True)
class File:
    """One file or folder that must be in the dataset's folder; a folder's ``name`` ends with a slash."""

    name: str
    sha256: str | None = None
    size: int | None = None
    md5: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether the name stands for a folder with all that is in it."""
        return self.name.endswith("/")


@dataclass(frozen=True)
class Layout:
    """One of the forms in which a dataset's folder may come."""

    name: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class Count:
    """The number of examples whose columns have the values ``where``."""

    where: Mapping[str, str | int | bool]
    rows: int


@dataclass(frozen=True)
class Expected:
    """What the complete prepared dataset must hold; None where it is not known."""

    rows: int | None = None
    classes: int | None = None
    captions: int | None = None
    counts: tuple[Count, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue. ``workflow/schemas/datasets.schema.yaml`` describes each field.

    The order of a label's values is its integer code.
    """

    id: str
    title: str
    kind: str
    version: str
    access: str  # open, request, login or private; generated for those made here
    licence: str
    citation: str
    homepage: str
    how_to_get: str | None = None
    archives: tuple[Archive, ...] = ()
    layouts: tuple[Layout, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected: Expected = Expected()
    notes: str | None = None
    like: str | None = None
    loader: str | None = None

    @property
    def format_id(self) -> str:
        """The id of the dataset whose file format it has: its own, or the one a generated dataset is like."""
        return self.like or self.id

    @property
    def loader_module(self) -> str:
        """The module with ``load(folder)``: ``loader`` in :mod:`clipfair.data.datasets` or by its full name.

        Without ``loader`` it is the module named like the id, with underscores for dashes.
        """
        name = self.loader or self.format_id.replace("-", "_")
        return name if "." in name else f"clipfair.data.datasets.{name}"

    @property
    def source_digest(self) -> str:
        """A digest of all that decides which bytes are fetched: the version, the archives, the layouts."""
        source = [self.id, self.version, *map(asdict, self.archives), *map(asdict, self.layouts)]
        return hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()

    @property
    def downloadable(self) -> bool:
        """Whether clipfair can fetch it without a person: open access and an address for every archive."""
        return self.access == "open" and bool(self.archives) and all(a.url for a in self.archives)


def load_catalogue(path: str | Path) -> dict[str, Dataset]:
    """Read and check ``resources/datasets.yaml``.

    Its schema lies in the same repository: ``workflow/schemas/datasets.schema.yaml``.

    Returns
    -------
    Dataset by id, in the order of the file.

    Raises
    ------
    UserError
        If the file is not YAML or does not follow its schema.
    """
    schema = _read_yaml(Path(path).resolve().parents[1] / "workflow/schemas/datasets.schema.yaml")
    entries = _read_yaml(path)
    check_schema(entries, schema, where=Path(path).name)
    return {dataset_id: _dataset(dataset_id, entry) for dataset_id, entry in entries.items()}


def _read_yaml(path: str | Path) -> dict:
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def _dataset(dataset_id: str, entry: Mapping) -> Dataset:
    layouts = entry.get("layouts", {})
    expected = entry.get("expected", {})
    nested = {
        "archives": tuple(Archive(**archive) for archive in entry.get("archives", ())),
        "layouts": tuple(
            Layout(name, tuple(File(file, **known) for file, known in files.items()))
            for name, files in layouts.items()
        ),
        "attributes": {name: tuple(values) for name, values in entry.get("attributes", {}).items()},
        "labels": {name: tuple(values) for name, values in entry.get("labels", {}).items()},
        "expected": Expected(
            rows=expected.get("rows"),
            classes=expected.get("classes"),
            captions=expected.get("captions"),
            counts=tuple(Count(**count) for count in expected.get("counts", ())),
        ),
    }
    return Dataset(id=dataset_id, **{**entry, **nested})
