"""Table 7 of CLIP the Bias: captions that mention humans (Appendix A.6)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.core.keys import hash_keys
from clipfair.tables.common.annotations import find_columns, read_annotations
from clipfair.tables.common.markdown import markdown_table, percent, plain

ANY = "any"
_NUMBER = r"#\d+$"  # of a caption, after the key of its image


def build(caption_sets: Mapping[str, str], *, seed: int = 0) -> tuple[pd.DataFrame, str]:
    """The share of each set's images with a caption that mentions humans, by keyword.

    An image counts once for a keyword, however many of its captions have it. The paper gives no frequencies
    of keywords; it states that captions of about 40% of COCO's images mention humans.

    Parameters
    ----------
    caption_sets
        Name -> parquet with one row per caption: ``key`` (the image's, # and the caption's number),
        ``caption``, and booleans ``text.human=<keyword>``; ``attrs["captions"]`` describes the captions,
        such as class names. The examples of the page are of the first set.
    seed
        Of the choice of examples, which is by a hash of the caption and so the same in any order.

    Returns
    -------
    One row per keyword and set, the keyword ``any`` last: ``keyword, set, texts, images, mentioned,
    rate, example``; then the page.

    Raises
    ------
    UserError
        If a file is damaged, lacks a column, or has no rows.
    """
    parts = {name: _count(path, name, seed) for name, path in caption_sets.items()}
    frame = pd.concat(parts.values(), ignore_index=True)
    # Keywords in the vocabulary's order, each with the rows of all sets; ANY is the last keyword.
    order = list(dict.fromkeys(frame["keyword"]))
    frame = frame.sort_values("keyword", key=lambda name: name.map(order.index), kind="stable")
    frame = frame.reset_index(drop=True)
    return frame, _page(frame, list(caption_sets))


def _count(path: str, name: str, seed: int) -> pd.DataFrame:
    columns = find_columns([path], "human", modalities=["text"])["human"]
    (captions,) = read_annotations([path], ["key", "caption", *(column.name for column in columns)])
    texts = captions.attrs.get("captions", "captions")
    captions["key"] = captions["key"].str.replace(_NUMBER, "", regex=True)
    captions = captions.iloc[hash_keys(captions["caption"].to_numpy(), seed=seed).argsort(kind="stable")]
    mentions = {column.value: captions[column.name].to_numpy(bool) for column in columns}
    mentions[ANY] = np.any(list(mentions.values()), axis=0)
    images = captions["key"].nunique()
    rows = [
        (
            *(keyword, name, texts, images),
            *(captions["key"][mentioned].nunique(), _first(captions["caption"][mentioned])),
        )
        for keyword, mentioned in mentions.items()
    ]
    frame = pd.DataFrame(rows, columns=["keyword", "set", "texts", "images", "mentioned", "example"])
    frame.insert(5, "rate", frame["mentioned"] / frame["images"])
    return frame


def _first(captions: pd.Series) -> str:
    return captions.iloc[0] if len(captions) else ""


def _page(frame: pd.DataFrame, names: list[str]) -> str:
    rates = frame.pivot(index="keyword", columns="set", values="rate")
    examples = frame[frame["set"] == names[0]].set_index("keyword")["example"]
    keywords = [keyword for keyword in frame["keyword"].unique() if keyword != ANY]
    rows = [
        [keyword, plain(examples.get(keyword, "")), *(percent(rates.loc[keyword, name]) for name in names)]
        for keyword in keywords
    ]
    rows.append(["**any of these**", "", *(percent(rates.loc[ANY, name]) for name in names)])
    sets = frame.drop_duplicates("set").set_index("set")
    sizes = ", ".join(f"{name} {sets['images'][name]:,} images with {sets['texts'][name]}" for name in names)
    lines = [
        "# Table 7 of CLIP the Bias: captions with human mentions",
        "",
        f"Share of images, in percent, with a text that has the keyword as a whole word ({sizes}); the "
        f"examples are of {names[0]}. The paper finds human mentions for about 40% of COCO's images, and for "
        "few of ImageNet's; it does not state which texts of ImageNet it used, here they are the class "
        "names.",
        "",
        *markdown_table(["keyword", "example", *(f"{name} (%)" for name in names)], rows),
    ]
    return "\n".join(lines) + "\n"
