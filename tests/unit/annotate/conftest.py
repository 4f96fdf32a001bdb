"""An encoder in which images and words of one colour have the same embedding."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch

from clipfair.annotate.encoders.clip import ClipEncoder


class ColourModel(torch.nn.Module):
    """Encodes (n, 3) amounts of red, green and blue, for images and texts."""

    def encode_image(self, image, normalize):
        assert normalize
        return torch.nn.functional.normalize(image, dim=-1)

    encode_text = encode_image


def mean_colour(image):
    return torch.tensor(np.asarray(image, dtype=np.float32).mean(axis=(0, 1)))


def named_colours(texts):
    """The colours that each text names; grey if none."""
    named = [[float(colour in text) for colour in ("red", "green", "blue")] for text in texts]
    return torch.tensor([amounts if any(amounts) else [1.0, 1.0, 1.0] for amounts in named])


@pytest.fixture
def encoder():
    return ClipEncoder(ColourModel().eval(), mean_colour, named_colours, batch_size=4)


@pytest.fixture
def write_shard(tmp_path):
    """Returns a function that writes (key, image, caption) triples as a shard and gives its path."""

    def write(name, pairs):
        path = tmp_path / f"{name}.tar"
        with tarfile.open(path, "w") as tar:
            for key, image, caption in pairs:
                encoded = io.BytesIO()
                image.save(encoded, "PNG")
                files = {"png": encoded.getvalue(), "txt": caption.encode()}
                files["json"] = json.dumps({"key": key}).encode()
                for suffix, data in files.items():
                    member = tarfile.TarInfo(f"{key}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        return path

    return write
