"""Pretraining pairs in the format of img2dataset, with their ground truth.

``shards/NNNNN.tar`` (key.jpg, key.json, key.txt), ``shards/NNNNN.parquet`` and
``shards/NNNNN_stats.json``; ``truth.parquet`` and ``annotations.parquet`` next to ``shards/``.
"""

import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.io import write_json, write_parquet
from clipfair.data.embedded.draw import COLOURS, jpeg
from clipfair.data.embedded.glyphs import OBJECTS
from clipfair.data.embedded.grammar import NOUNS, Content, choose_mentions, write_caption
from clipfair.data.embedded.planted import occupation_rates, proxy_rates, ungendered_rate
from clipfair.data.embedded.rendering import Framing, render_images
from clipfair.data.embedded.scenery import BACKGROUNDS, TEXTURES
from clipfair.data.embedded.web_settings import AnnotatorErrors, Rates, WebSettings

# .invalid is reserved and never resolves (RFC 2606).
ADDRESS = "https://embedded.invalid/{key}.jpg"


def generate_web(folder: Path, settings: WebSettings, rng: np.random.Generator) -> None:
    """Write the shards, ``truth.parquet`` and ``annotations.parquet`` into ``folder``.

    The truth has one row for each pair. First the content that was drawn: ``person`` (true if there is
    one), ``gender`` and ``occupation`` (of the person, or of the owner of the object), ``proxies``,
    ``object``, ``texture``, ``background``; and true or false for ``uniform`` (visible), ``close_up`` and
    ``mismatched`` (the caption of another image). Then the attributes in both modalities as 0 and 1:
    ``image.gender=man`` if a man is visible, ``text.gender=man`` if the caption mentions one; an
    occupation is visible if its uniform is. ``annotations.parquet`` has the same attributes as two
    annotators with the errors of the settings report them.
    """
    starts = range(0, settings.pairs, settings.shard_size)
    shards = zip(starts, rng.spawn(len(starts)), strict=True)
    tables = [
        _generate_shard(
            folder / "shards", number, min(settings.shard_size, settings.pairs - start), settings, part
        )
        for number, (start, part) in enumerate(shards)
    ]
    truth = pd.concat(tables, ignore_index=True)
    write_parquet(folder / "truth.parquet", truth)
    write_parquet(folder / "annotations.parquet", _annotate(truth, settings, rng))


def _generate_shard(
    folder: Path, number: int, n: int, settings: WebSettings, rng: np.random.Generator
) -> pd.DataFrame:
    contents, framing = _choose_contents(n, settings, rng)
    images = render_images(contents, framing, settings.look, rng, size=settings.size, noise=settings.noise)
    mentioned = [choose_mentions(content, settings.mentions, rng) for content in contents]
    mismatched = rng.random(n) < settings.mismatched
    # A cyclic shift among the mismatched pairs gives each the caption of another.
    order = np.arange(n)
    order[mismatched] = np.roll(order[mismatched], 1)
    mentioned = [mentioned[index] for index in order]
    captions = [write_caption(content, rng) for content in mentioned]
    digits = len(str(settings.shard_size - 1))
    keys = [f"{number:05d}{index:0{digits}d}" for index in range(n)]
    _write_shard(folder, f"{number:05d}", keys, captions, [jpeg(image) for image in images], settings.size)
    return _truth(keys, contents, framing, mentioned, order != np.arange(n), captions, settings)


def _choose_contents(
    n: int, settings: WebSettings, rng: np.random.Generator
) -> tuple[list[Content], Framing]:
    people = rng.random(n) < settings.share_people
    gendered = people | (rng.random(n) < settings.owned)
    men = gendered & (rng.random(n) < np.where(people, settings.share_men, settings.share_men_owners))

    def by_group(rates: Rates) -> np.ndarray:
        return np.select([men, gendered], [rates.men, rates.women], ungendered_rate(settings, rates))

    shares = np.column_stack([by_group(rates) for rates in occupation_rates(settings).values()])
    works, occupations = _choose_occupations(shares, list(settings.occupations), rng)
    rates_of = proxy_rates(settings)
    has_proxy = {
        name: rng.random(n)
        < np.where(occupations == proxy.occupation, proxy.with_occupation, by_group(rates_of[name]))
        for name, proxy in settings.proxies.items()
    }
    uniform = works & (rng.random(n) < settings.uniform_shown)
    textured = ~gendered & ~works & (rng.random(n) < settings.share_textures)
    beside = people & (rng.random(n) < settings.object_beside)
    with_object = beside | (~people & ~uniform & ~textured)
    objects = rng.choice(list(OBJECTS), n)
    textures = rng.choice(list(TEXTURES), n)
    backgrounds = rng.choice(list(BACKGROUNDS), n)
    contents = [
        Content(
            person=bool(people[i]),
            gender=("man" if men[i] else "woman") if gendered[i] else None,
            occupation=occupations[i],
            proxies=tuple(name for name, has in has_proxy.items() if has[i]),
            object=str(objects[i]) if with_object[i] else None,
            texture=str(textures[i]) if textured[i] else None,
            colours=tuple(map(str, rng.choice(list(COLOURS), 2, replace=False))) if textured[i] else (),
            background=None if textured[i] else str(backgrounds[i]),
        )
        for i in range(n)
    ]
    close_up = people & ~uniform & (rng.random(n) < settings.close_up)
    return contents, Framing(uniform=uniform, close_up=close_up)


def _choose_occupations(
    shares: np.ndarray, names: list[str], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """True for each of n with an occupation, and its name or None; ``shares`` is (n, names)."""
    place = (rng.random((len(shares), 1)) >= shares.cumsum(axis=1)).sum(axis=1)
    return place < len(names), np.array([*names, None], dtype=object)[place]


def _truth(
    keys: list[str],
    contents: list[Content],
    framing: Framing,
    mentioned: list[Content],
    mismatched: np.ndarray,
    captions: list[str],
    settings: WebSettings,
) -> pd.DataFrame:
    drawn = pd.DataFrame([dataclasses.asdict(content) for content in contents])
    facts = drawn[["person", "gender", "occupation", "proxies", "object", "texture", "background"]]
    visible = [
        dataclasses.replace(
            content,
            gender=content.gender if content.person else None,
            occupation=content.occupation if uniform else None,
        )
        for content, uniform in zip(contents, framing.uniform, strict=True)
    ]
    return pd.concat(
        [
            pd.DataFrame({"key": keys, "caption": captions}),
            facts,
            pd.DataFrame(
                {"uniform": framing.uniform, "close_up": framing.close_up, "mismatched": mismatched}
            ),
            _attribute_columns("image", visible, settings),
            _attribute_columns("text", mentioned, settings),
        ],
        axis=1,
    )


def _attribute_columns(modality: str, contents: list[Content], settings: WebSettings) -> pd.DataFrame:
    columns = {f"gender={gender}": [content.gender == gender for content in contents] for gender in NOUNS}
    for name in settings.occupations:
        columns[f"occupation={name}"] = [content.occupation == name for content in contents]
    for name in settings.proxies:
        columns[f"proxy={name}"] = [name in content.proxies for content in contents]
    return pd.DataFrame(columns).astype(np.uint8).add_prefix(f"{modality}.")


def _annotate(truth: pd.DataFrame, settings: WebSettings, rng: np.random.Generator) -> pd.DataFrame:
    """Annotations of two annotators, one a modality; each attribute is wrong independently."""
    annotations = truth[["key"]].copy()
    modalities: dict[str, AnnotatorErrors] = {"image": settings.image_errors, "text": settings.text_errors}
    for modality, errors in modalities.items():
        names = [name for name in truth if name.startswith(f"{modality}.")]
        values = truth[names].to_numpy(dtype=bool)
        wrong = rng.random(values.shape) < np.where(values, errors.missed, errors.invented)
        annotations[names] = (values ^ wrong).astype(np.uint8)
    return annotations


def _write_shard(
    folder: Path, name: str, keys: list[str], captions: list[str], images: list[bytes], size: int
) -> None:
    records = [
        {
            "key": key,
            "caption": caption,
            "url": ADDRESS.format(key=key),
            "status": "success",
            "error_message": None,
            "width": size,
            "height": size,
            "original_width": size,
            "original_height": size,
            "exif": "{}",
            "sha256": hashlib.sha256(image).hexdigest(),
        }
        for key, caption, image in zip(keys, captions, images, strict=True)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for record, image in zip(records, images, strict=True):
            _add(tar, f"{record['key']}.jpg", image)
            _add(tar, f"{record['key']}.json", json.dumps(record, indent=4).encode())
            _add(tar, f"{record['key']}.txt", record["caption"].encode())
    write_parquet(folder / f"{name}.parquet", pd.DataFrame(records))
    counts = {"count": len(keys), "successes": len(keys), "failed_to_download": 0, "failed_to_resize": 0}
    write_json(folder / f"{name}_stats.json", {**counts, "status_dict": {"success": len(keys)}})


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    # The default time of a TarInfo is 0 and its owner empty: the same bytes at any time and for any user.
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
