"""What an evaluation asks of a dataset: which of its examples, and which texts.

An evaluation is its line of the registry. ``split`` and ``where`` (column -> value, or the list of
them) choose the examples evaluated, ``support`` those that something is fitted to, ``images`` how
many of the first are drawn. Embedding and evaluating ask here, and so agree.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.captions import cut
from clipfair.data.rows import test_rows
from clipfair.evaluate import prompts
from clipfair.evaluate.prompts import TextSet

# Read off every checkpoint of a run, not only the last (Figures 2 and 4: examples seen).
AT_EVERY_CHECKPOINT = ("representation", "association")


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
        found = [caption if most is None else cut(caption, most) for caption in captions]
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
