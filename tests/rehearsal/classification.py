"""Miniature classification datasets, a few images of a few classes each, in the files that were published."""

from pathlib import Path

from clipfair.data.datasets import birds, caltech101, colorectal, imagenet
from tests.rehearsal import files

PETS = ("Abyssinian", "Bengal", "american_bulldog", "beagle")
CARS = (
    "AM General Hummer SUV 2000",
    "Acura RL Sedan 2012",
    "BMW M3 Coupe 2012",
    "smart fortwo Convertible 2012",
)
BIRDS = ("Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross", "Groove_billed_Ani")
TISSUES = ("TUMOR", "STROMA", "COMPLEX", "LYMPHO", "DEBRIS", "MUCOSA", "ADIPOSE", "EMPTY")
LAND = ("agricultural", "beach", "forest", "river")
OBJECTS = ("BACKGROUND_Google", "accordion", "airplanes")
# ImageNet has 1,000 classes; images are of the first of these alone.
SYNSETS = ("banana", "umbrella", "groom, bridegroom", "scuba diver", "ballplayer, baseball player")
CLASSES = 1000
# 5 % of the training images are few-shot support: 6 of a class.
IMAGENET_TRAIN, IMAGENET_VAL = 120, 6
EACH = 6  # images of a class and split


def write_pets(folder: Path) -> int:
    """Write images.tar.gz and annotations.tar.gz; return the number of images."""
    images, lists, first = {}, {}, 1
    for split in ("trainval", "test"):
        rows = []
        for code, breed in enumerate(PETS, start=1):
            for number in range(first, first + EACH):
                images[f"images/{breed}_{number}.jpg"] = files.image_of(code, number)
                rows.append(f"{breed}_{number} {code} {1 + breed[0].islower()} {code}")
        lists[f"annotations/{split}.txt"] = files.lines(["#Image CLASS-ID SPECIES BREED ID", *rows])
        first += EACH
    archives = {"images.tar.gz": images, "annotations.tar.gz": lists}
    files.write_files(folder, {name: files.tar(content, "w:gz") for name, content in archives.items()})
    return len(images)


def write_cars(folder: Path) -> int:
    """Write the archives of both splits, the development kit and the labels of test."""
    annotations, images = {}, 0
    for split in ("train", "test"):
        rows = [(code, number) for code in range(1, len(CARS) + 1) for number in range(EACH)]
        names = [f"{position:05d}.jpg" for position in range(1, len(rows) + 1)]
        content = {
            f"cars_{split}/{name}": files.image_of(code, number)
            for name, (code, number) in zip(names, rows, strict=True)
        }
        files.write_files(folder, {f"cars_{split}.tgz": files.tar(content, "w:gz")})
        table = [(1, 1, 40, 40, code, name) for name, (code, _) in zip(names, rows, strict=True)]
        fields = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
        annotations[split] = files.matlab(annotations=files.structs(table, fields))
        images += len(rows)
    classes = files.matlab(class_names=_cells(CARS))
    kit = {"devkit/cars_train_annos.mat": annotations["train"], "devkit/cars_meta.mat": classes}
    labels = {"cars_test_annos_withlabels.mat": annotations["test"]}
    files.write_files(folder, {"car_devkit.tgz": files.tar(kit, "w:gz"), **labels})
    return images


def write_birds(folder: Path) -> int:
    """Write CUB_200_2011.tgz with its lists."""
    names = [
        (code, f"{code:03d}.{species}/{species}_{number:04d}_{code}.jpg", number)
        for code, species in enumerate(BIRDS, start=1)
        for number in range(2 * EACH)
    ]
    lists = {
        "images.txt": [name for _, name, _ in names],
        "image_class_labels.txt": [code for code, _, _ in names],
        "train_test_split.txt": [number % 2 for _, _, number in names],
    }
    content = {
        f"{birds.ROOT}/{name}": files.lines(f"{row} {value}" for row, value in enumerate(values, start=1))
        for name, values in lists.items()
    }
    content |= {f"{birds.ROOT}/images/{name}": files.image_of(code, n) for code, name, n in names}
    files.write_files(folder, {"CUB_200_2011.tgz": files.tar(content, "w:gz")})
    return len(names)


def write_colorectal(folder: Path) -> int:
    """Write the zip of tiles, a folder for each tissue."""
    content = {
        f"{colorectal.ROOT}/{code:02d}_{tissue}/{number:05X}_CRC_{code}.tif": files.image_of(
            code, number, "tiff"
        )
        for code, tissue in enumerate(TISSUES, start=1)
        for number in range(2 * EACH)
    }
    files.write_files(folder, {f"{colorectal.ROOT}.zip": files.zipped(content)})
    return len(content)


def write_uc_merced(folder: Path) -> int:
    """Write UCMerced_LandUse.zip, a folder for each kind of land."""
    content = {
        f"UCMerced_LandUse/Images/{kind}/{kind}{number:02d}.tif": files.image_of(code, number, "tiff")
        for code, kind in enumerate(LAND)
        for number in range(3 * EACH)
    }
    files.write_files(folder, {"UCMerced_LandUse.zip": files.zipped(content)})
    return len(content)


def write_caltech101(folder: Path) -> int:
    """Write caltech-101.zip with the archive of images within, and the hidden files that macOS adds."""
    images = {
        f"{caltech101.ROOT}/{name}/image_{number:04d}.jpg": files.image_of(code, number)
        for code, name in enumerate(OBJECTS)
        for number in range(1, caltech101.TRAIN_PER_CLASS + EACH)
    }
    hidden = {f"{caltech101.ROOT}/{OBJECTS[0]}/._image_0001.jpg": b"hidden"}
    inner = files.tar(images | hidden, "w:gz")
    files.write_files(folder, {"caltech-101.zip": files.zipped({caltech101.ARCHIVE: inner})})
    return len(images)


def write_imagenet(folder: Path) -> int:
    """Write the three archives: training images a tar for each synset, validation images, development kit."""
    words = [*SYNSETS, *(f"class {number}" for number in range(len(SYNSETS), CLASSES))]
    synsets = [(number, f"n{number:08d}", word, "gloss", 0) for number, word in enumerate(words, start=1)]
    synsets.append((CLASSES + 1, f"n{CLASSES + 1:08d}", "entity", "gloss", 1))
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")
    truth = [code for _ in range(IMAGENET_VAL) for code in range(1, len(SYNSETS) + 1)]
    kit = {
        imagenet.META: files.matlab(synsets=files.structs(synsets, fields)),
        imagenet.GROUND_TRUTH: files.lines(truth),
    }
    train = {f"n{code:08d}.tar": files.tar(_synset(code)) for code in range(1, len(SYNSETS) + 1)}
    val = {
        f"ILSVRC2012_val_{number:08d}.JPEG": files.image_of(code, number)
        for number, code in enumerate(truth, start=1)
    }
    archives = {imagenet.ARCHIVES["train"]: files.tar(train), imagenet.ARCHIVES["val"]: files.tar(val)}
    files.write_files(folder, {imagenet.DEVKIT: files.tar(kit, "w:gz"), **archives})
    return len(SYNSETS) * IMAGENET_TRAIN + len(val)


def _synset(code: int) -> dict[str, bytes]:
    return {
        f"n{code:08d}_{number}.JPEG": files.image_of(code, 1000 + number) for number in range(IMAGENET_TRAIN)
    }


def _cells(texts: tuple[str, ...]) -> object:
    """Return texts as MATLAB's row of cells."""
    return files.structs([(text,) for text in texts], ("text",))["text"]
