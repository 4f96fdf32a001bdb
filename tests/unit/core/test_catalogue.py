"""The catalogue: its own file is sound, and every way to break it is one clear line."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from clipfair.core.catalogue import Archive, Count, File, load_catalogue
from clipfair.core.errors import UserError

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "resources/datasets.yaml"

ENTRY = {
    "title": "Tiny",
    "kind": "tabular",
    "version": "1",
    "access": "open",
    "licence": "CC0",
    "citation": "Nobody",
    "homepage": "https://example.org",
    "archives": [{"url": "https://example.org/tiny.zip", "file": "tiny.zip", "sha256": "0" * 64, "size": 7}],
    "layouts": {"original": {"tiny.csv": {"size": 3}, "images/": {}}},
    "attributes": {"sex": ["female", "male"]},
    "labels": {"income": ["low", "high"]},
    "expected": {"rows": 2, "counts": [{"where": {"sex": "male", "income": 1}, "rows": 1}]},
}


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(CATALOGUE)


@pytest.fixture
def repository(tmp_path):
    """A folder laid out like the repository; returns a function that loads a catalogue written there."""
    (tmp_path / "resources").mkdir()
    path = tmp_path / "resources/datasets.yaml"

    def load(text):
        path.write_text(
            text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False), encoding="utf-8"
        )
        return load_catalogue(path)

    return load


def test_entry_becomes_dataclasses(repository):
    tiny = repository({"tiny": ENTRY})["tiny"]
    assert tiny.archives == (Archive("tiny.zip", "https://example.org/tiny.zip", "0" * 64, size=7),)
    assert tiny.layouts[0].files == (File("tiny.csv", size=3), File("images/"))
    assert [file.is_folder for file in tiny.layouts[0].files] == [False, True]
    assert tiny.labels == {"income": ("low", "high")}
    assert tiny.expected.counts == (Count({"sex": "male", "income": 1}, 1),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"licens": "CC0"}, "licens.*known:.*licence"),
        ({"title": None}, "tiny.title"),
        ({"access": "free"}, "tiny.access"),
        ({"version": "1/2"}, "tiny.version"),
        ({"expected": {"rows": "2"}}, "tiny.expected.rows"),
        ({"archives": [{"file": "a.zip", "sha256": "512b227b..."}]}, r"tiny\.archives\[0\]\.sha256"),
        ({"layouts": {"original": {"/outside.csv": {}}}}, "tiny.layouts.original"),
        ({"layouts": {"original": {"images/": {"size": 3}}}}, r"tiny\.layouts\.original\..*images/"),
        ({"access": "request"}, "how_to_get"),
    ],
)
def test_broken_entry_is_one_line(repository, change, told):
    with pytest.raises(UserError) as error:
        repository({"tiny": ENTRY | change})
    assert re.search(told, str(error.value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("missing", ["title", "version", "access", "licence", "citation", "homepage", "kind"])
def test_missing_field_is_named(repository, missing):
    entry = {key: value for key, value in ENTRY.items() if key != missing}
    with pytest.raises(UserError, match=f"datasets.yaml: tiny: missing setting {missing!r}$"):
        repository({"tiny": entry})


@pytest.mark.parametrize("text", ["", "[]", "Adult: {}", "adult: {title: [}", "3"])
def test_not_a_catalogue(repository, text):
    with pytest.raises(UserError) as error:
        repository(text)
    assert "datasets.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_catalogue(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_catalogue(tmp_path / "resources/datasets.yaml")


def test_source_digest_follows_what_is_fetched(repository):
    tiny = repository({"tiny": ENTRY})["tiny"]
    archive = replace(tiny.archives[0], sha256="1" * 64)
    assert replace(tiny, licence="MIT", notes="said").source_digest == tiny.source_digest
    assert replace(tiny, archives=(archive,)).source_digest != tiny.source_digest
    assert replace(tiny, version="2").source_digest != tiny.source_digest


def test_downloadable_needs_open_access_and_every_address(repository):
    tiny = repository({"tiny": ENTRY})["tiny"]
    assert tiny.downloadable
    assert not replace(tiny, access="login", how_to_get="Ask.").downloadable
    assert not replace(tiny, archives=(*tiny.archives, Archive("more.zip"))).downloadable
    assert not replace(tiny, archives=(), how_to_get="Ask.").downloadable


def test_every_published_dataset_is_in_the_catalogue(catalogue):
    named = {
        row.split(",")[3]
        for path in (ROOT / "resources/published").glob("*m4.csv")
        for row in path.read_text(encoding="utf-8").splitlines()[1:]
    }
    assert named <= set(catalogue)


def test_counts_agree_with_themselves(catalogue):
    for dataset in catalogue.values():
        rows = dataset.expected.rows
        for column in ("split", *dataset.attributes, *dataset.labels):
            alone = [count.rows for count in dataset.expected.counts if set(count.where) == {column}]
            assert not alone or sum(alone) == rows, dataset.id
        for count in dataset.expected.counts:
            known = {"split", "used", "fairclip", "few_shot", *dataset.attributes, *dataset.labels}
            assert set(count.where) <= known, dataset.id


def test_cells_of_table_5_add_up(catalogue):
    for dataset, label in ((catalogue["adult"], "income"), (catalogue["credit-default"], "default")):
        cells = [count for count in dataset.expected.counts if set(count.where) == {"sex", label}]
        assert len(cells) == 4
        assert sum(cell.rows for cell in cells) == dataset.expected.rows


def test_what_can_be_downloaded_can_be_verified(catalogue):
    for dataset in catalogue.values():
        if dataset.downloadable:
            assert all(archive.sha256 or archive.md5 for archive in dataset.archives), dataset.id
        else:
            assert dataset.how_to_get, dataset.id


def test_layouts_stay_inside_their_folder(repository):
    for name in ("../outside.csv", "a/../../outside.csv"):
        with pytest.raises(UserError, match=r"tiny\.layouts\.original"):
            repository({"tiny": ENTRY | {"layouts": {"original": {name: {}}}}})
