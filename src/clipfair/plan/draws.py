"""Families of draws: synthetic datasets that are drawn several times, each time with a seed of its own.

A family is an entry of ``generated`` with ``draws``. The configuration names the family, the files are those
of its draws: ``<family>-draw-<number>``.
"""

from collections.abc import Iterable, Mapping

from clipfair.core.settings import Key, Violation
from clipfair.plan.configuration.data import GeneratedDataset
from clipfair.plan.configuration.root import Configuration


def draw_of(generated: Mapping[str, GeneratedDataset], dataset: str, seed: int) -> str:
    """The dataset that a run with a seed reads: of a family the draw ``seed`` modulo ``draws``.

    Any other dataset is its own.
    """
    if not is_family(generated, dataset):
        return dataset
    return _draw_id(dataset, seed % generated[dataset].draws)


def is_family(generated: Mapping[str, GeneratedDataset], dataset: str) -> bool:
    """Whether a dataset is a family of draws, which has no files of its own."""
    return dataset in generated and generated[dataset].draws is not None


def draws_of(generated: Mapping[str, GeneratedDataset]) -> list[str]:
    """The ids of the draws of all families."""
    return [draw for name in generated if is_family(generated, name) for draw in members_of(generated, name)]


def members_of(generated: Mapping[str, GeneratedDataset], dataset: str) -> list[str]:
    """The datasets with the files of a dataset: of a family all of its draws, else the dataset."""
    if not is_family(generated, dataset):
        return [dataset]
    return [_draw_id(dataset, number) for number in range(generated[dataset].draws)]


def with_draws(configuration: Configuration) -> Configuration:
    """The configuration with an entry of ``generated`` for each draw of a family.

    Draw d has the seed of the family plus d. It is annotated like the family.

    Raises
    ------
    Violation
        If the id of a draw has an entry already.
    """
    generated, annotations = dict(configuration.generated), dict(configuration.annotations)
    for family, entry in configuration.generated.items():
        for number in range(entry.draws or 0):
            name = _draw_id(family, number)
            taken = f"{name!r} is a draw of {family!r}; choose another id"
            _check_free(("generated", name), generated, taken)
            annotated = f"annotated as its family {family!r}; remove it"
            _check_free(("annotations", name), annotations, annotated)
            generated[name] = entry.model_copy(update={"seed": entry.seed + number, "draws": None})
            if family in annotations:
                annotations[name] = annotations[family]
    return configuration.model_copy(update={"generated": generated, "annotations": annotations})


def _check_free(key: Key, entries: Mapping[str, object], message: str) -> None:
    if key[-1] in entries:
        raise Violation(key, message)


def refuse_families(key: Key, datasets: Iterable[str], generated: Mapping[str, GeneratedDataset]) -> None:
    """Check that none of some datasets is a family, where files of one dataset are read.

    Raises
    ------
    Violation
        The first that is.
    """
    for name in datasets:
        if is_family(generated, name):
            raise Violation(key, family_message(name, generated))


def family_message(dataset: str, generated: Mapping[str, GeneratedDataset]) -> str:
    """The message that a family has no files of its own."""
    last = generated[dataset].draws - 1
    return (
        f"{dataset!r} is a family of draws, without files of its own; name draws of it: "
        f"{_draw_id(dataset, 0)} to {_draw_id(dataset, last)}"
    )


def _draw_id(family: str, number: int) -> str:
    return f"{family}-draw-{number}"
