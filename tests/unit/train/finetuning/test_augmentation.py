"""Augmented images: random crops of the right images, the same for the same seed and step."""

from itertools import islice

import numpy as np
import pytest
import torch

from clipfair.data.images import open_image
from clipfair.models.crops import cut, draw_crops
from clipfair.models.interface import pixels_of
from clipfair.train.finetuning.augmentation import augmented_images
from clipfair.train.finetuning.batches import GROUP_PIXELS, GroupedBatches
from clipfair.train.finetuning.examples import read_splits
from tests.unit.train.finetuning_data import RECIPE, make_model, make_table, write_data


@pytest.fixture
def built():
    return make_model()


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path, make_table())


@pytest.fixture
def train(data, built):
    return read_splits(RECIPE, data, built, seed=0, cache=data["cache"])["train"]


def source(train, built, augmented):
    groups = list(train.members("gender").values())
    return GroupedBatches(
        train, built, groups, batch_size=16, group_batch_size=8, seed=3, augmented=augmented
    )


def test_a_crop_is_of_the_row_it_is_asked_for(train, data, built):
    images = augmented_images({"augment": True}, train, data, built)
    rows, seed = np.array([5, 0]), (1, 2)
    opened = [open_image(record, folder="") for record in (images.records[5], images.records[0])]
    state = np.random.SeedSequence(seed).generate_state(1)[0]
    crops = draw_crops(opened, torch.Generator().manual_seed(int(state)))
    expected = [pixels_of(cut(image, crop, 16)) for image, crop in zip(opened, crops, strict=True)]
    assert torch.equal(images.pixels(rows, seed), torch.stack(expected))
    assert not torch.equal(images.pixels(rows, (1, 3)), torch.stack(expected))


def test_without_augmentation_there_are_no_crops(train, data, built):
    assert augmented_images({}, train, data, built) is None


def test_augmentation_changes_the_images_and_not_the_order(train, data, built):
    plain = list(islice(source(train, built, None), 3))
    augmented = augmented_images({"augment": True}, train, data, built)
    cropped = list(islice(source(train, built, augmented), 3))
    for one, other in zip(plain, cropped, strict=True):
        assert one.keys == other.keys
        assert torch.equal(one.texts, other.texts)
        assert not torch.equal(one.images, other.images)
        assert not torch.equal(one.extra[GROUP_PIXELS], other.extra[GROUP_PIXELS])


def test_a_resumed_training_sees_the_same_crops(train, data, built):
    augmented = augmented_images({"augment": True}, train, data, built)
    whole = list(islice(source(train, built, augmented), 3))
    resumed = source(train, built, augmented)
    resumed.load_state_dict({"batch": 2})
    assert torch.equal(next(iter(resumed)).images, whole[2].images)
