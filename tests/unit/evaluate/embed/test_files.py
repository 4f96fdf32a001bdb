import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.core.io import read_json, write_json
from clipfair.core.paths import Run
from clipfair.evaluate.embed.files import (
    Checkpoint,
    as_float16,
    read_checkpoints,
    read_images,
    read_texts,
    write_checkpoint,
    write_images,
)

RUN = Run(dataset="web", balance="baseline", model="small", method="clip", seed=3)


def checkpoint(**changes):
    known = {"run": RUN, "examples": 100, "final": True, "digest": "d1", "scale": 14.5, "bias": -1.0}
    return Checkpoint(**{**known, **changes})


def write(folder, of=None, **changes):
    of = of or checkpoint()
    write_checkpoint(folder, of, {"texts": np.eye(2, 3)})
    arrays = {"keys": ["a/é", "b"], "images": np.eye(2, 3), "features": np.full((2, 4), 0.1)}
    write_images(folder, of, "faces", **{**arrays, **changes}, data_digest="t1")


def test_what_is_written_is_read(tmp_path):
    write(tmp_path)

    [found] = read_checkpoints(tmp_path, RUN)
    images = read_images(tmp_path, found, "faces", data_digest="t1")

    assert found == checkpoint()
    assert images.keys.tolist() == ["a/é", "b"]
    assert images.images.dtype == images.features.dtype == np.float32
    assert (images.images == np.eye(2, 3)).all()
    assert images.features == pytest.approx(np.full((2, 4), 0.1), rel=2**-11)
    assert (read_texts(tmp_path, found, "texts") == np.eye(2, 3)).all()


def test_same_values_are_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write(tmp_path / folder)
    for file in ("record.json", "texts.npz", "faces.npz"):
        first, second = ((tmp_path / x / "seed~3/examples~100" / file).read_bytes() for x in "ab")
        assert first == second


def test_checkpoints_are_in_order_of_examples_the_last_final(tmp_path):
    for examples, final in ((1000, True), (90, False), (200, False)):
        write(tmp_path, checkpoint(examples=examples, final=final, digest=str(examples)))

    assert [found.examples for found in read_checkpoints(tmp_path, RUN)] == [90, 200, 1000]


def test_embeddings_of_another_model_are_refused(tmp_path):
    write(tmp_path)
    write(tmp_path / "other", checkpoint(digest="d2"))
    theirs = tmp_path / "other/seed~3/examples~100/faces.npz"
    theirs.replace(tmp_path / "seed~3/examples~100/faces.npz")

    with pytest.raises(UserError, match=r"faces\.npz: embeddings of another model; delete"):
        read_images(tmp_path, checkpoint(), "faces", data_digest="t1")


def test_embeddings_of_another_run_are_refused(tmp_path):
    write(tmp_path)
    record = tmp_path / "seed~3/examples~100/record.json"
    entry = read_json(record)
    write_json(record, {**entry, "run": {**entry["run"], "balance": "balanced"}})

    with pytest.raises(UserError, match=r"belongs to run .*balance~balanced.*, expected .*balance~baseline"):
        read_checkpoints(tmp_path, RUN)


def test_missing_or_outdated_embeddings_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no embeddings of dataset~web"):
        read_checkpoints(tmp_path, RUN)
    write(tmp_path)
    with pytest.raises(UserError, match=r"faces\.npz: embeddings of another version of the data"):
        read_images(tmp_path, checkpoint(), "faces", data_digest="t2")
    with pytest.raises(UserError, match=r"scenes\.npz: no such embeddings"):
        read_images(tmp_path, checkpoint(), "scenes", data_digest="t1")
    with pytest.raises(UserError, match="the texts of this evaluation are not in it"):
        read_texts(tmp_path, checkpoint(), "others")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(UserError, match="not finite: the model diverged"):
        as_float16(np.array([0.0, bad]))
