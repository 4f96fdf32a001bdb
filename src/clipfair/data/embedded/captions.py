"""Images with several captions each, for retrieval: COCO's folder and Karpathy's json."""

from pathlib import Path

import numpy as np

from clipfair.core.io import write_json
from clipfair.data.embedded.draw import jpeg
from clipfair.data.embedded.glyphs import OBJECTS, PROXIES, UNIFORMS
from clipfair.data.embedded.grammar import Content, choose_mentions, write_caption
from clipfair.data.embedded.image_settings import CaptionSettings
from clipfair.data.embedded.rendering import Framing, render_images
from clipfair.data.embedded.scenery import BACKGROUNDS

FOLDER = "val2014"


def generate_captions(folder: Path, settings: CaptionSettings, rng: np.random.Generator) -> None:
    """Write ``val2014/COCO_val2014_<id>.jpg`` and ``dataset_coco.json`` into ``folder``."""
    n = settings.val + settings.test
    contents = [_choose_content(settings, rng) for _ in range(n)]
    works = np.array([content.occupation is not None for content in contents])
    framing = Framing(uniform=works, close_up=np.zeros(n, dtype=bool))
    images = render_images(contents, framing, settings.look, rng, size=settings.size, noise=settings.noise)
    ids = np.sort(rng.choice(600_000, n, replace=False)).tolist()  # COCO's range, with gaps as there
    splits = rng.permutation(["val"] * settings.val + ["test"] * settings.test).tolist()
    target = folder / FOLDER
    target.mkdir()
    described = []
    for number, (image, content, cocoid, split) in enumerate(zip(images, contents, ids, splits, strict=True)):
        name = f"COCO_val2014_{cocoid:012d}.jpg"
        (target / name).write_bytes(jpeg(image))
        described.append(
            {
                "filepath": FOLDER,
                "sentids": list(range(number * settings.per_image, (number + 1) * settings.per_image)),
                "filename": name,
                "imgid": number,
                "split": split,
                "sentences": [
                    _sentence(
                        content, settings, rng, imgid=number, sentid=number * settings.per_image + position
                    )
                    for position in range(settings.per_image)
                ],
                "cocoid": cocoid,
            }
        )
    write_json(folder / "dataset_coco.json", {"images": described, "dataset": "coco"})


def _choose_content(settings: CaptionSettings, rng: np.random.Generator) -> Content:
    background = str(rng.choice(list(BACKGROUNDS)))
    thing = str(rng.choice(list(OBJECTS)))
    if rng.random() >= settings.share_people:
        return Content(object=thing, background=background)
    return Content(
        person=True,
        gender="man" if rng.random() < settings.share_men else "woman",
        occupation=str(rng.choice(list(UNIFORMS))) if rng.random() < settings.with_occupation else None,
        proxies=(str(rng.choice(list(PROXIES))),) if rng.random() < 0.5 else (),
        object=thing,
        background=background,
    )


def _sentence(
    content: Content, settings: CaptionSettings, rng: np.random.Generator, *, imgid: int, sentid: int
) -> dict:
    raw = write_caption(choose_mentions(content, settings.mentions, rng), rng)
    return {"tokens": raw.replace(",", "").split(), "raw": raw, "imgid": imgid, "sentid": sentid}
