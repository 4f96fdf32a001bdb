"""Images of prepared rows: every form of storage, and damaged images."""

import io

import numpy as np
import pytest
from PIL import Image

from clipfair.core.errors import UserError
from clipfair.data.images import DamagedImageError, decode_image, open_image


def encoded(pixels, form="png"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(256, size=(6, 8, 3), dtype=np.uint8)


def error_of(example, folder):
    with pytest.raises(UserError) as error:
        open_image(example, folder=folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_file(tmp_path, pixels):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(encoded(pixels))
    np.testing.assert_array_equal(open_image({"key": "1", "image": "a/1.png"}, folder=tmp_path), pixels)


def test_bytes(tmp_path, pixels):
    example = {"key": "1", "image_bytes": encoded(pixels)}
    np.testing.assert_array_equal(open_image(example, folder=tmp_path), pixels)


def test_part_of_a_file(tmp_path, pixels):
    content = encoded(pixels)
    (tmp_path / "all.tar").write_bytes(b"before" + content + b"after")
    example = {"key": "1", "image": "all.tar", "offset": 6, "size": len(content)}
    np.testing.assert_array_equal(open_image(example, folder=tmp_path), pixels)


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.int64])
def test_npz(tmp_path, pixels, kind):
    grey = pixels[:, :, 0]
    np.savez(tmp_path / "1.npz", slo_fundus=grey.astype(kind), note="text")
    image = open_image({"key": "1", "image": "1.npz"}, folder=tmp_path)
    np.testing.assert_array_equal(image, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path, pixels, mode):
    Image.fromarray(pixels).convert(mode).save(tmp_path / "1.tif")
    assert open_image({"key": "1", "image": "1.tif"}, folder=tmp_path).mode == "RGB"


@pytest.mark.parametrize(
    "damage", [lambda c: b"", lambda c: b"<html>", lambda c: c[: len(c) // 2], lambda c: b"\0" * len(c)]
)
@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_file_that_does_not_open_is_named(tmp_path, pixels, form, damage):
    (tmp_path / "1.jpg").write_bytes(damage(encoded(pixels, form)))
    message = error_of({"key": "one", "image": "1.jpg"}, tmp_path)
    assert message.startswith(f"{tmp_path}/1.jpg: not an image that opens")


def test_bytes_that_do_not_open_are_named_by_their_key(tmp_path):
    assert "train/7: not an image that opens" in error_of({"key": "train/7", "image_bytes": b"x"}, tmp_path)


def test_a_truncated_part_is_named_by_its_key(tmp_path, pixels):
    (tmp_path / "all.tar").write_bytes(encoded(pixels)[:40])
    message = error_of({"key": "train/7", "image": "all.tar", "offset": 0, "size": 999}, tmp_path)
    assert "all.tar: train/7: not an image that opens" in message


def test_a_missing_file(tmp_path):
    assert "1.jpg: no such image" in error_of({"key": "1", "image": "1.jpg"}, tmp_path)


@pytest.mark.parametrize(
    ("arrays", "fragment"),
    [
        ({"other": np.zeros((2, 2))}, "slo_fundus"),
        ({"slo_fundus": np.zeros(3)}, "shape"),
        ({"slo_fundus": np.full((2, 2), 256)}, "values from 0 to 255"),
        ({"slo_fundus": np.full((2, 2), -1)}, "values from 0 to 255"),
        ({"slo_fundus": np.array([[object()]])}, "allow_pickle"),
    ],
)
def test_an_npz_without_an_image(tmp_path, arrays, fragment):
    np.savez(tmp_path / "1.npz", **arrays)
    message = error_of({"key": "1", "image": "1.npz"}, tmp_path)
    assert "1.npz: not an image that opens" in message
    assert fragment in message


def test_an_invalid_npz(tmp_path):
    (tmp_path / "1.npz").write_bytes(b"PK\x03\x04" + bytes(40))
    assert "not an image that opens" in error_of({"key": "1", "image": "1.npz"}, tmp_path)


# --- depth and orientation ---


def test_16_bits_of_grey_are_scaled_to_8():
    ramp = np.linspace(0, 65535, 256 * 256).round().astype(np.uint16).reshape(256, 256)
    image = np.asarray(decode_image(encoded(ramp)))
    assert image.mean() == pytest.approx(127.5, abs=0.01)
    np.testing.assert_array_equal(image[..., 0], np.round(ramp / 257))


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_in_either_byte_order_give_the_same_image(order):
    values = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    stream = io.BytesIO()
    image = Image.frombytes(
        "I;16B" if order == ">" else "I;16", (16, 16), values.astype(f"{order}u2").tobytes()
    )
    image.save(stream, "TIFF")
    np.testing.assert_array_equal(
        np.asarray(decode_image(stream.getvalue()))[..., 0], np.arange(256).reshape(16, 16)
    )


@pytest.mark.parametrize(("kind", "mode"), [(np.float32, "F"), (np.int32, "I")])
def test_floats_and_32_bits_are_refused(kind, mode):
    with pytest.raises(DamagedImageError, match=f"pixels of mode {mode}; expected 8 or 16 bits a channel"):
        decode_image(encoded(np.full((4, 4), 0.5).astype(kind), "tiff"))


def test_the_exif_orientation_is_ignored(pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", exif=exif)
    np.testing.assert_array_equal(decode_image(stream.getvalue()), pixels)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("Failed to decode"), MemoryError(), IndexError("x"), TypeError("x"), AssertionError()],
)
def test_whatever_a_decoder_raises_is_a_damaged_image(monkeypatch, pixels, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(DamagedImageError, match=str(error) or type(error).__name__):
        decode_image(encoded(pixels))


def test_a_decompression_bomb_is_a_damaged_image(monkeypatch, pixels):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DamagedImageError, match="decompression bomb"):
        decode_image(encoded(pixels))
