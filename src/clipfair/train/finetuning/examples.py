"""The examples of a fine-tuning: images decoded once, texts as tokens, labels and groups.

The recipe has ``label`` (with ``positive``), ``attributes``, ``max_characters`` of a text, ``splits``
(``train``, ``validation``, ``test``, each with ``split`` and ``where`` as in an evaluation), and
``text_source``: ``caption`` (default), ``label`` (the prompt of the example's label, from ``prompts``) or a
column of the table such as ``note``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clipfair.core.errors import UserError, unknown
from clipfair.data.captions import truncate
from clipfair.data.decoded import DecodedImages, decode_rows, decoded_folder
from clipfair.data.rows import read_table, select_rows
from clipfair.metrics.labels import binary_labels
from clipfair.models.interface import BuiltModel, pixels_of
from clipfair.models.tokenizers import report_unknown_words

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Examples:
    """The examples of one split.

    Attributes
    ----------
    table : n rows of the prepared table, indexed from 0.
    labels : (n,) 0 or 1.
    tokens : (n, length) int64, the text of each example.
    stored : the images of all splits, (N, 3, size, size) uint8, resized for the model, in a memory-mapped
    file. positions : (n,) the positions of these examples in ``stored``.
    """

    table: pd.DataFrame
    labels: np.ndarray
    tokens: Tensor
    stored: Tensor
    positions: Tensor

    def __len__(self) -> int:
        return len(self.table)

    def pixels(self, rows: Tensor) -> Tensor:
        """Return the images of some rows; (len(rows), 3, size, size) uint8."""
        return self.stored[self.positions[rows]]

    def members(self, attribute: str) -> dict[str, np.ndarray]:
        """Return the rows of each group of an attribute; examples of unknown group are left out."""
        column = self.table[attribute].astype("category")
        return {str(name): np.flatnonzero(column == name) for name in column.cat.categories}


def read_splits(
    recipe: Mapping,
    data: Mapping,
    built: BuiltModel,
    *,
    seed: int,
    cache: str | Path,
) -> dict[str, Examples]:
    """Return the examples of each split of a recipe.

    Parameters
    ----------
    data
        ``raw`` (the dataset's folder), ``table`` (its prepared table) and, optional, ``contents`` (the file
        with the sha256 of the raw data).
    seed
        Of the run; it decides the part of the training split that the recipe's ``subsample`` asks for.
    cache
        The folder where the decoded images are stored for the next run.

    Raises
    ------
    UserError
        If a column or value is missing, a split is empty, a text is empty after cutting, or an image does
        not open.
    """
    table = read_table(data["table"])
    labels = binary_labels(table, recipe["label"], recipe.get("positive"))
    for attribute in recipe["attributes"]:
        if attribute not in table:
            raise UserError(f"recipes.yaml: {unknown('attribute', attribute, table.columns)}")
    rows = {name: _rows(recipe, name, table) for name in SPLITS}
    needed = np.unique(np.concatenate(list(rows.values())))
    decoded = _decode(table, needed, data, built, cache)
    stored, places = torch.from_numpy(decoded.pixels), torch.from_numpy(decoded.places)
    texts = cut_texts(with_texts(table.iloc[needed], labels[needed], recipe), recipe["max_characters"])
    tokens = built.tokenizer(texts)
    if "subsample" in recipe:
        rows["train"] = rows["train"][choose_part(recipe["subsample"], table.iloc[rows["train"]], seed)]
    found = {}
    for name, chosen in rows.items():
        positions = torch.from_numpy(np.searchsorted(needed, chosen))
        part = table.iloc[chosen].reset_index(drop=True)
        if name == "train":
            report_unknown_words(built.tokenizer, [texts[position] for position in positions])
        found[name] = Examples(part, labels[chosen], tokens[positions], stored, places[positions])
    return found


def _rows(recipe: Mapping, name: str, table: pd.DataFrame) -> np.ndarray:
    entry = {"dataset": f"the {name} split", **recipe["splits"][name]}
    return np.flatnonzero(select_rows(entry, table))


def with_texts(table: pd.DataFrame, labels: np.ndarray, recipe: Mapping) -> pd.DataFrame:
    """Return the rows with the texts of the recipe's ``text_source`` as their captions.

    Raises
    ------
    UserError
        If the table has no such column.
    """
    source = recipe.get("text_source", "caption")
    if source == "caption":
        return table
    if source == "label":
        texts = [recipe["prompts"][label] for label in labels]
    elif source in table:
        texts = table[source].fillna("")
    else:
        raise UserError(f"recipes.yaml: text_source: {unknown('column', source, table.columns)}")
    return table.assign(captions=[[text] for text in texts])


def cut_texts(table: pd.DataFrame, max_characters: int | None) -> list[str]:
    """Return the first caption of each row, cut at ``max_characters`` unless that is None.

    Raises
    ------
    UserError
        If a text is empty after cutting.
    """
    texts = []
    for key, captions in zip(table["key"], table["captions"], strict=True):
        text = captions[0] if len(captions) else ""
        text = text if max_characters is None else truncate(text, max_characters)
        if not text.strip():
            raise UserError(
                f"the text of {key} is empty after cutting at {max_characters} characters; correct the note, "
                "or raise max_characters in recipes.yaml"
            )
        texts.append(text)
    return texts


def _decode(
    table: pd.DataFrame, needed: np.ndarray, data: Mapping, built: BuiltModel, cache: str | Path
) -> DecodedImages:
    """Return the images of some rows, resized for the model."""
    preparation = f"{built.resizing}-{built.size}"
    return decode_rows(
        decoded_folder(cache, preparation, data["table"], data.get("contents")),
        table,
        needed,
        raw=data["raw"],
        prepare=lambda image: pixels_of(built.resize(image)).numpy(),
        size=built.size,
        threads=torch.get_num_threads(),
    )


# --- a part of the examples -------------------------------------------------------------------


def choose_part(subsample: Mapping, table: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the positions of a part of the rows, ascending.

    The part depends only on the keys and the seed. For one seed, a smaller share is a subset of a larger one.

    Parameters
    ----------
    subsample
        ``share`` in (0, 1] of the rows, drawn uniformly. With ``attribute`` and ``shares`` (group -> share,
        sum 1) the same number of rows, from the groups in these shares (forced imbalance). Or ``disjoint``, a
        number of rows: the part number ``seed`` of disjoint parts of that size.

    Raises
    ------
    UserError
        If a share is out of range, a group has too few rows for it, or there is no such part.
    """
    if "disjoint" in subsample:
        return _disjoint_part(table["key"], seed, subsample["disjoint"])
    share = subsample["share"]
    if not 0 < share <= 1:
        raise UserError(f"recipes.yaml: subsample.share is {share}; expected more than 0, at most 1")
    wanted = round(share * len(table))
    order = np.argsort([_draw(key, seed) for key in table["key"]], kind="stable")
    if "attribute" not in subsample:
        return np.sort(order[:wanted])
    attribute, shares = subsample["attribute"], subsample["shares"]
    _check_shares(table, attribute, shares)
    parts = []
    for group, part in shares.items():
        members = order[(table[attribute] == group).to_numpy()[order]]
        count = round(part * wanted)
        if count > len(members):
            raise UserError(
                f"recipes.yaml: subsample: {part:g} of {wanted:,} examples are {count:,} of {attribute} "
                f"{group}, which has {len(members):,}; choose a smaller share"
            )
        parts.append(members[:count])
    return np.sort(np.concatenate(parts))


def _disjoint_part(keys: pd.Series, seed: int, size: int) -> np.ndarray:
    order = np.argsort([_draw(key, 0) for key in keys], kind="stable")
    part = order[seed * size : (seed + 1) * size]
    if len(part) < size:
        raise UserError(
            f"recipes.yaml: subsample: part {seed} of {size:,} examples each needs {(seed + 1) * size:,}; "
            f"the training split has {len(keys):,}; choose a smaller part, or a smaller seed"
        )
    return np.sort(part)


def _check_shares(table: pd.DataFrame, attribute: str, shares: Mapping[str, float]) -> None:
    if attribute not in table:
        raise UserError(f"recipes.yaml: subsample: {unknown('attribute', attribute, table.columns)}")
    groups = [str(name) for name in table[attribute].astype("category").cat.categories]
    for group in shares:
        if group not in groups:
            raise UserError(f"recipes.yaml: subsample.shares: {unknown('group', group, groups)}")
    total = sum(shares.values())
    if min(shares.values()) < 0 or abs(total - 1) > 1e-9:
        raise UserError(f"recipes.yaml: subsample.shares sum to {total:g}; expected 1, none negative")


def _draw(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


# --- checks -----------------------------------------------------------------------------------


def check_groups(splits: Mapping[str, Examples], attributes: Sequence[str]) -> None:
    """Check that the attributes of a fairness loss have groups to compare.

    Raises
    ------
    UserError
        If one has a single group, or a group without an example in the training or test split.
    """
    for attribute in attributes:
        for name in ("train", "test"):
            members = splits[name].members(attribute)
            if len(members) < 2:
                raise UserError(
                    f"attribute {attribute!r} has {len(members)} group ({', '.join(members)}); a fairness "
                    "loss needs at least two: choose another attr in config.training"
                )
            empty = [group for group, rows in members.items() if not len(rows)]
            if empty:
                raise UserError(
                    f"attribute {attribute!r}: group {empty[0]!r} has no example in the {name} split; add "
                    "examples of it, or choose another attr in config.training"
                )
