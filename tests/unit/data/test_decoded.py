"""Decoded images are stored once for a set of rows, and found by every job that needs a part of them."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipfair.data.decoded import decode_rows, decoded_folder, find_decoded


def encoded(seed):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def table():
    return pd.DataFrame({"key": [f"k{n}" for n in range(10)], "image_bytes": [encoded(n) for n in range(10)]})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table").write_text("a table")
    (tmp_path / "contents").write_text("its raw data")
    return decoded_folder(tmp_path, "squash-4", tmp_path / "table", tmp_path / "contents")


def prepare(image):
    return np.asarray(image).transpose(2, 0, 1)


@pytest.fixture
def decode(table, folder):
    def run(rows, prepare=prepare, threads=1):
        return decode_rows(
            folder,
            table,
            np.array(rows),
            raw="",
            prepare=prepare,
            size=4,
            threads=threads,
        )

    return run


def images_of(decoded):
    return decoded.pixels[decoded.places]


def expected(table, rows):
    images = (Image.open(io.BytesIO(content)) for content in table["image_bytes"].iloc[rows])
    return np.stack([prepare(image) for image in images])


@pytest.mark.parametrize("threads", [1, 3])
def test_images_are_those_of_the_rows(decode, table, threads):
    rows = [1, 4, 5, 9]
    np.testing.assert_array_equal(images_of(decode(rows, threads=threads)), expected(table, rows))


@pytest.mark.parametrize("part", [[1, 4, 5, 9], [4, 9], [1], [5]])
def test_a_part_of_stored_rows_is_found_and_not_decoded_again(decode, table, part):
    decode([1, 4, 5, 9])
    found = decode(part, prepare=lambda image: pytest.fail("decoded again"))
    np.testing.assert_array_equal(images_of(found), expected(table, part))


@pytest.mark.parametrize("rows", [[0], [4, 6], [9, 10], [0, 1, 4, 5, 9]])
def test_rows_that_are_not_all_stored_are_not_found(decode, folder, rows):
    decode([1, 4, 5, 9])
    assert find_decoded(folder, np.array(rows)) is None


@pytest.mark.parametrize("changed", ["table", "contents"])
def test_another_table_or_other_raw_data_have_images_of_their_own(folder, tmp_path, changed):
    (tmp_path / changed).write_text("changed")
    other = decoded_folder(tmp_path, "squash-4", tmp_path / "table", tmp_path / "contents")
    assert other != folder
    assert decoded_folder(tmp_path, "squash-8", tmp_path / "table", tmp_path / "contents") != other


def test_images_without_their_rows_are_decoded_again(decode, table, folder):
    """A process that is killed between both files leaves images alone."""
    decode([1, 4])
    [rows] = folder.glob("*.rows.npy")
    rows.unlink()
    assert find_decoded(folder, np.array([1, 4])) is None
    np.testing.assert_array_equal(images_of(decode([1, 4])), expected(table, [1, 4]))
