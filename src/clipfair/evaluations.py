"""What an evaluation asks of a dataset: which of its examples, and which texts.

An evaluation is its line of the registry. ``split`` and ``where`` (column -> value, or the list of
them) choose the examples evaluated, ``support`` those that something is fitted to, ``images`` how
many of the first are drawn. Embedding and evaluating ask here, and so agree.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from clipfair import prompts
from clipfair.console import UserError
from clipfair.prompts import TextSet

# Columns of a prepared table that only those who open its pictures need.
OF_PICTURES = ("image_bytes", "boxes")
# Read off every checkpoint of a run, not only the last (Figures 2 and 4: examples seen).
AT_EVERY_CHECKPOINT = ("representation", "association")


def read_table(path: str, *, less: Collection[str] = ()) -> pd.DataFrame:
    """A prepared table, ``less`` some of its columns."""
    return pd.read_parquet(path, columns=[name for name in pq.read_schema(path).names if name not in less])


def test_rows(line: Mapping, table: pd.DataFrame) -> np.ndarray:
    """Which rows are evaluated; (n,) bool.

    If ``images`` is less than their number, so many are drawn with the generator of ``seed``.
    """
    chosen = _match(line, table, {"split": line["split"], **line.get("where", {})})
    found = np.flatnonzero(chosen)
    if line.get("images", len(found)) < len(found):
        drawn = np.random.default_rng(line["seed"]).choice(found, size=line["images"], replace=False)
        chosen = np.zeros(len(table), dtype=bool)
        chosen[drawn] = True
    return chosen


def support_rows(line: Mapping, table: pd.DataFrame) -> np.ndarray:
    """Which rows something is fitted to; (n,) bool, none if the line has no ``support``."""
    if "support" not in line:
        return np.zeros(len(table), dtype=bool)
    return _match(line, table, line["support"])


def _match(line: Mapping, table: pd.DataFrame, where: Mapping) -> np.ndarray:
    chosen = np.ones(len(table), dtype=bool)
    for column, value in where.items():
        if column not in table:
            raise UserError(
                f"evaluation on {line['dataset']}: no column {column!r}; known: {', '.join(table.columns)}"
            )
        chosen &= table[column].isin(value if isinstance(value, list | tuple) else [value]).to_numpy()
    if not chosen.any():
        told = ", ".join(f"{column} {value}" for column, value in where.items())
        raise UserError(f"evaluation on {line['dataset']}: no example with {told}; check config.yaml")
    return chosen


def text_sets(line: Mapping, table: pd.DataFrame) -> dict[str, TextSet]:
    """The texts that the evaluation compares the images of its test rows with, by name.

    Each is there if the line has the setting of its name: ``attributes`` and ``occupations`` (lists of
    words) and ``groups`` (word -> value of the attribute), put into the sentence ``template``;
    ``neutral`` (one text); ``prompts`` (texts, or lists of texts whose embeddings are averaged);
    ``classes`` (``labels``, the values of the column label, or ``imagenet``), put into ``templates`` (a
    list, or ``clip``); and ``captions`` (``all`` of the test rows, in their order), cut to
    ``max_characters`` as those that are trained on.

    Raises
    ------
    UserError
        If a text is empty after cutting.
    """
    return {name: make(line, table) for name, make in _MAKERS.items() if name in line}


def _words(setting: str) -> Callable[[Mapping, pd.DataFrame], TextSet]:
    return lambda line, table: TextSet(tuple(line[setting]), (line.get("template", "{}"),))


def _prompts(line: Mapping, table: pd.DataFrame) -> TextSet:
    return TextSet(tuple(prompt if isinstance(prompt, str) else tuple(prompt) for prompt in line["prompts"]))


def _classes(line: Mapping, table: pd.DataFrame) -> TextSet:
    names = prompts.IMAGENET if line["classes"] == prompts.IMAGENET else tuple(table["label"].cat.categories)
    templates = line["templates"] if isinstance(line["templates"], str) else tuple(line["templates"])
    return TextSet(names, templates, canonical=True)


def _captions(line: Mapping, table: pd.DataFrame) -> TextSet:
    rows = table.loc[test_rows(line, table), ["key", "captions"]]
    most = line.get("max_characters")
    texts = []
    for key, captions in zip(rows["key"], rows["captions"], strict=True):
        found = [caption if most is None else prompts.cut(caption, most) for caption in captions]
        if most is not None and not all(text.strip() for text in found):
            raise UserError(
                f"evaluation on {line['dataset']}: the text of {key} is empty after cutting at {most} "
                "characters; mend the note, or raise max_characters in config.yaml"
            )
        texts += found
    return TextSet(tuple(texts))


_MAKERS = {
    "attributes": _words("attributes"),
    "occupations": _words("occupations"),
    "groups": _words("groups"),
    "neutral": lambda line, table: TextSet((line["neutral"],)),
    "prompts": _prompts,
    "classes": _classes,
    "captions": _captions,
}
