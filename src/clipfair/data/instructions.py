"""Instructions for a missing dataset: the reason, how to get it, where to put it, how it is checked."""

from collections.abc import Sequence

from clipfair.core.catalogue import Dataset

_WHY = {
    "open": "open, but in parts that only a person can collect",
    "request": "its owner grants it on request",
    "login": "its owner asks for a login",
    "private": "its owner keeps it private",
}
NAME_THE_MIRROR = "name the mirror folder in CLIPFAIR_MIRROR or with --config mirror=..."


def missing_line(dataset: Dataset, *, mirror: str | None = None, reason: str | None = None) -> str:
    """Return the instructions as one line; ``reason`` is the error of the download, if one was tried."""
    parts = [f"{_title(dataset)} is missing: {reason or _WHY[dataset.access]}", _way(dataset)]
    if _forms(dataset):
        parts += [
            f"put {_place(dataset, mirror)}",
            "" if mirror else NAME_THE_MIRROR,
            f"it will be checked by {_checks(dataset)}",
        ]
    return "; ".join(filter(None, parts))


def missing_block(dataset: Dataset, *, mirror: str | None, lacking: Sequence[str] = ()) -> str:
    """Return the instructions as a paragraph, one fact a line.

    ``lacking`` names the files that the dataset's mirror folder lacks.
    """
    facts = {
        "why": _WHY[dataset.access],
        "get": _way(dataset),
        "put": _place(dataset, mirror) if _forms(dataset) else "",
        "lacks": f"{_and(lacking)} ({mirror}/{dataset.id} is there)" if lacking else "",
        "check": _checks(dataset) if _forms(dataset) else "",
    }
    lines = [f"  {name + ':':7}{fact}" for name, fact in facts.items() if fact]
    return "\n".join([_title(dataset), *lines])


def _title(dataset: Dataset) -> str:
    sizes = [archive.size for archive in dataset.archives]
    known = sizes and None not in sizes
    size = f"{sum(sizes) / 1e6:,.1f} MB" if known else "size not published"
    return f"{dataset.id} ({dataset.title}, {size}, {dataset.licence})"


def _way(dataset: Dataset) -> str:
    addresses = [archive.url for archive in dataset.archives if archive.url]
    ways = [f"download {_and(addresses)}"] if dataset.access == "open" and addresses else []
    if dataset.how_to_get:
        ways.append(f"{dataset.how_to_get} ({dataset.homepage})")
    return "; ".join(ways)


def _forms(dataset: Dataset) -> list[str]:
    """The forms in which the mirror folder may contain it: its archives, or any of its layouts."""
    forms = [_and([archive.file for archive in dataset.archives])] if dataset.archives else []
    forms += [
        _and(["its files" if file.name == "./" else file.name for file in layout.files])
        for layout in dataset.layouts
    ]
    # An archive that is not unpacked is a layout, too.
    return list(dict.fromkeys(forms))


def _place(dataset: Dataset, mirror: str | None) -> str:
    return f"{', or '.join(_forms(dataset))} into {mirror or '<mirror>'}/{dataset.id}"


def _checks(dataset: Dataset) -> str:
    archives = dataset.archives
    known = {
        "sha256": any(archive.sha256 for archive in archives),
        "md5": any(archive.md5 and not archive.sha256 for archive in archives),
        "its expected counts": dataset.expected.rows is not None,
        "the keys of each tar against its parquet": dataset.kind == "pairs",
        "every label and name that is read": dataset.kind == "people" and dataset.expected.rows is None,
    }
    return _and([name for name, is_known in known.items() if is_known]) or "its file names alone"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
