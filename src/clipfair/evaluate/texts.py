"""The texts that an evaluation needs, from its settings and the prepared table.

Embedding and evaluation both read them here, so that they agree.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.captions import truncate
from clipfair.data.rows import select_rows
from clipfair.evaluate.prompts import IMAGENET, TextSet

# Kinds that evaluate every checkpoint of a run, not only the last (Figures 2 and 4 of CLIP the Bias show them
# against the number of training examples).
AT_EVERY_CHECKPOINT = ("representation", "association")


def text_sets(settings: Mapping, table: pd.DataFrame) -> dict[str, TextSet]:
    """The texts that the evaluation compares the images of its test rows with, by name.

    There is one set for each of these settings: ``attributes`` and ``occupations`` (lists of words) and
    ``groups`` (word -> value of the attribute), put into the sentence ``template``; ``neutral`` (one text);
    ``prompts`` (texts, or lists of texts whose embeddings are averaged); ``classes`` (``labels``, the values
    of the column label, or ``imagenet``), put into ``templates`` (a list, or ``clip``); and ``captions``
    (``all`` captions of the test rows, in their order), cut to ``max_characters`` as for training.

    Raises
    ------
    UserError
        If a text is empty after cutting.
    """
    return {name: make(settings, table) for name, make in _MAKERS.items() if name in settings}


def _words(name: str) -> Callable[[Mapping, pd.DataFrame], TextSet]:
    return lambda settings, table: TextSet(tuple(settings[name]), (settings.get("template", "{}"),))


def _prompts(settings: Mapping, table: pd.DataFrame) -> TextSet:
    texts = (prompt if isinstance(prompt, str) else tuple(prompt) for prompt in settings["prompts"])
    return TextSet(tuple(texts))


def _classes(settings: Mapping, table: pd.DataFrame) -> TextSet:
    classes, templates = settings["classes"], settings["templates"]
    names = IMAGENET if classes == IMAGENET else tuple(table["label"].cat.categories)
    templates = templates if isinstance(templates, str) else tuple(templates)
    return TextSet(names, templates, canonical=True)


def _captions(settings: Mapping, table: pd.DataFrame) -> TextSet:
    rows = table.loc[select_rows(settings, table), ["key", "captions"]]
    most = settings.get("max_characters")
    texts = []
    for key, captions in zip(rows["key"], rows["captions"], strict=True):
        shortened = [caption if most is None else truncate(caption, most) for caption in captions]
        if most is not None and not all(text.strip() for text in shortened):
            raise UserError(
                f"evaluation on {settings['dataset']}: the text of {key} is empty after cutting at {most} "
                "characters; correct the text, or raise max_characters in the configuration"
            )
        texts += shortened
    return TextSet(tuple(texts))


_MAKERS = {
    "attributes": _words("attributes"),
    "occupations": _words("occupations"),
    "groups": _words("groups"),
    "neutral": lambda settings, table: TextSet((settings["neutral"],)),
    "prompts": _prompts,
    "classes": _classes,
    "captions": _captions,
}
