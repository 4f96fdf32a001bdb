"""UC Merced Land Use: 21 kinds of land in aerial images, a folder each."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, splits

ROOT = "UCMerced_LandUse/Images"
# As in public evaluation code, few-shot support is drawn from 1,000 of the 2,100 images.
TRAIN, ALL = 1000, 2100


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images from the original tree, or from a copy in train and test folders.

    Returns
    -------
    ``key`` (agricultural00), ``image``, ``label``, categorical in alphabetical order; ``split``:
    train, 10 in 21 by a hash of the key, and test. No split is published, and the folders of a copy are
    ignored: both trees give the same splits.

    Raises
    ------
    UserError
        If there are no images in the classes' folders.
    """
    roots = [ROOT] if Path(folder, ROOT).is_dir() else ["train", "test"]
    frame = pd.concat([image_files.read_class_folders(folder, root) for root in roots])
    frame = frame.sort_values("key", ignore_index=True)
    return pd.DataFrame(
        {
            "key": frame["key"],
            "image": frame["image"],
            "label": columns.categorical(frame["class"]),
            "split": splits.hash_split(frame["key"], train=TRAIN, of=ALL),
        }
    )
