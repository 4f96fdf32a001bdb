"""The catalogue of datasets: ``resources/datasets.yaml`` as frozen dataclasses that pydantic checks."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from clipfair.core.errors import UserError
from clipfair.core.settings import parse_settings, refuse_unknown

CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def _no_text(value: Any) -> Any:
    """Numbers are written as numbers."""
    if isinstance(value, str | bool):
        raise ValueError(f"{value!r} should be a whole number")
    return value


Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Whole = Annotated[int, BeforeValidator(_no_text), Field(ge=0)]
Positive = Annotated[int, BeforeValidator(_no_text), Field(ge=1)]
Url = Annotated[str, Field(pattern=r"^https?://")]
Values = Annotated[tuple[str, ...], Field(min_length=2)]


class _Closed:
    """A dataclass that refuses keys which it does not know."""

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        refuse_unknown(value, cls.__dataclass_fields__)
        return value


@dataclass(frozen=True, config=CLOSED)
class Archive(_Closed):
    """One file to download, or to find in the mirror folder under the name ``file``."""

    file: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    """Its name in the mirror folder."""
    url: Url | None = None
    """Where it is downloaded from; left out where no address works without an account."""
    sha256: Sha256 | None = None
    """The complete sha256; left out where only a part of it is published."""
    md5: Md5 | None = None
    """The complete md5; used only where no sha256 is published."""
    size: Positive | None = None
    """Exact size in bytes; left out where it is not published."""
    unpack: bool = True
    """False for a file that is used as it is (a csv, a tar of a webdataset)."""


def _check_place(name: str) -> str:
    if ".." in name.split("/"):
        raise ValueError(f"{name!r} leads out of the dataset's folder")
    return name


# A path inside the dataset's folder: no slash in front, no step up; a folder ends with a slash.
RelativePath = Annotated[str, Field(pattern=r"^[^/\\]+(/[^/\\]+)*/?$"), AfterValidator(_check_place)]


@dataclass(frozen=True, config=CLOSED)
class File(_Closed):
    """One file or folder that must be in the dataset's folder; a folder's ``name`` ends with a slash."""

    name: RelativePath
    sha256: Sha256 | None = None
    size: Positive | None = None
    md5: Md5 | None = None

    @property
    def is_folder(self) -> bool:
        """Whether the name stands for a folder with all that is in it."""
        return self.name.endswith("/")

    @model_validator(mode="after")
    def _check_folder(self) -> Self:
        if self.is_folder and (self.sha256, self.size, self.md5) != (None, None, None):
            raise ValueError(f"{self.name}: a folder has neither size nor checksum")
        return self


@dataclass(frozen=True, config=CLOSED)
class Layout(_Closed):
    """An accepted layout of a dataset's folder: the files and folders that it must contain."""

    name: Id
    files: Annotated[tuple[File, ...], Field(min_length=1)]


# The layouts of an entry as the file has them: layout -> file -> what is known of it.
Layouts = dict[Id, Annotated[dict[RelativePath, dict[str, Any]], Field(min_length=1)]]


@dataclass(frozen=True, config=CLOSED)
class Count(_Closed):
    """The number of examples that meet the conditions ``where``."""

    where: Annotated[dict[str, str | int | bool], Field(min_length=1)]
    rows: Whole


@dataclass(frozen=True, config=CLOSED)
class Expected(_Closed):
    """Expected content of the complete prepared dataset; None where it is not known."""

    rows: Positive | None = None
    """Number of examples."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Number of classes, if there are too many to list."""
    captions: Positive | None = None
    """Number of captions."""
    counts: tuple[Count, ...] = ()
    """Examples with given values of attributes, labels, split or used."""


@dataclass(frozen=True, config=CLOSED)
class Dataset(_Closed):
    """One entry of the catalogue."""

    id: Id
    """Lower case, digits and single dashes; a part of paths."""
    title: Text
    """Name of the dataset in print."""
    kind: Literal[
        "tabular", "pairs", "people", "classification", "retrieval", "clinical", "annotations", "weights"
    ]
    """Use of the dataset: tabular (Table 5 of CLIP the Bias), pairs (image-text pretraining), people (images
    with perceived attributes), classification (zero- and few-shot), retrieval, clinical, annotations (labels
    or captions without their images, to be balanced). weights: weights of a model, not an entry of the
    file."""
    version: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    """The release that checksums and counts belong to; a part of paths."""
    access: Literal["open", "request", "login", "private", "generated"]
    """open: downloaded by clipfair. request: granted by its owner on request. login: needs an account and
    accepted terms. private: not available outside its owner. generated: synthetic, not an entry of
    the file."""
    licence: Text
    """The licence, or the terms of use where there is none."""
    citation: Text
    """Publication to cite."""
    homepage: Url
    """Web page of the owner."""
    how_to_get: Text | None = None
    """Instructions for data that clipfair cannot download. One sentence."""
    archives: tuple[Archive, ...] = ()
    """Files to download; the mirror folder may have them under the same names."""
    layouts: tuple[Layout, ...] = ()
    """Accepted layouts of the dataset's folder, by name. The first is that of the unpacked archives; the
    mirror folder may have any of them."""
    attributes: dict[str, Values] = field(default_factory=dict)
    """Sensitive attributes and their values."""
    labels: dict[str, Values] = field(default_factory=dict)
    """Labels and their values; the place of a value in the list is its integer code."""
    expected: Expected = Expected()
    """Expected content of the complete prepared dataset."""
    notes: Text | None = None
    """Open points and warnings."""
    miniature: bool = False
    """Whether the files are generated ones in the dataset's format; tables made from them say synthetic."""
    like: Id | None = None
    """Generated datasets: the id of the dataset whose file format is used."""
    loader: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*([.][a-z_][a-z0-9_]*)*$")] | None = None
    """The module with load(folder) that reads it: one of clipfair.data.datasets, or any importable module by
    its full name (my_package.my_module). By default the module named like the id, with underscores for
    dashes."""

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if self.access == "open" and not (self.archives or self.how_to_get):
            raise ValueError("missing archives, or how_to_get")
        if self.access in ("request", "login", "private") and not self.how_to_get:
            raise ValueError("missing how_to_get")
        return self

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

    Returns
    -------
    Dataset by id, in the order of the file.

    Raises
    ------
    UserError
        If the file is not YAML or an entry is not as :class:`Dataset` describes it.
    """
    name = Path(path).name
    entries = parse_settings(dict[Id, dict[str, Any]], _read_yaml(path), where=name)
    if not entries:
        raise UserError(f"{name}: no dataset; expected a mapping of ids to datasets")
    return {
        dataset_id: _make_dataset(dataset_id, entry, where=f"{name}: {dataset_id}")
        for dataset_id, entry in entries.items()
    }


def _make_dataset(dataset_id: str, entry: Mapping, *, where: str) -> Dataset:
    layouts = parse_settings(Layouts, entry.get("layouts", {}), where=f"{where}.layouts")
    files = {
        name: [{"name": file, **known} for file, known in layout.items()] for name, layout in layouts.items()
    }
    made = [
        parse_settings(Layout, {"name": name, "files": listed}, where=f"{where}.layouts.{name}")
        for name, listed in files.items()
    ]
    return parse_settings(Dataset, {**entry, "id": dataset_id, "layouts": made}, where=where)


def _read_yaml(path: str | Path) -> object:
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), yaml.CSafeLoader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
