import io
import shutil
import tarfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from clipfair.core.errors import UserError
from clipfair.data.shards import find_shards, read_index
from clipfair.train.interfaces import Process
from clipfair.train.kinds.pretrain import make_parts
from clipfair.train.order import ExampleOrder, ShuffledPasses, Stage
from clipfair.train.pretraining.pairs import MemorySource, ShardSource, read_decoded, split


def order_of(pairs, *, texts=None, batch_size=12):
    rows = np.arange(len(pairs.key))[::2]
    new = None if texts is None else texts[: len(rows)]
    return ExampleOrder(
        [Stage("all", rows, ShuffledPasses(pairs.shard[rows], 2, (0, 0)), 10, new)], batch_size
    )


def take(source, count):
    batches = iter(source)
    return [next(batches) for _ in range(count)]


@pytest.fixture
def index(raw, tmp_path):
    return read_index(find_shards(raw), tmp_path)


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        assert one.keys == other.keys
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.texts, other.texts)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_shards_and_memory_give_the_same_batches(raw, index, built, tmp_path, workers):
    decoded = read_decoded(raw, tmp_path, built)
    memory = MemorySource(decoded, order_of(decoded), built, process=Process(), accumulate=2)
    shards = ShardSource(index, order_of(index), built, process=Process(), accumulate=2, workers=workers)
    assert_same(take(memory, 10), take(shards, 10))


@pytest.mark.parametrize("kind", [MemorySource, ShardSource])
def test_a_restored_source_continues(raw, index, built, tmp_path, kind):
    pairs = read_decoded(raw, tmp_path, built) if kind is MemorySource else index
    how = {"workers": 0} if kind is ShardSource else {}

    def source():
        return kind(pairs, order_of(pairs), built, process=Process(), accumulate=2, **how)

    whole = take(source(), 12)
    first = source()
    take(first, 6)
    second = source()
    second.load_state_dict(first.state_dict())
    assert_same(whole[6:], take(second, 6))


def test_processes_and_parts_divide_the_same_batch():
    positions = np.arange(24)
    parts = [split(positions, Process(rank, 2), 3) for rank in range(2)]
    assert [list(part) for rank in parts for part in rank] == [list(range(s, s + 4)) for s in range(0, 24, 4)]


def test_new_texts_replace_the_captions(raw, index, built, tmp_path):
    texts = ["nurse"] * 30
    decoded = read_decoded(raw, tmp_path, built)
    sources = (
        MemorySource(decoded, order_of(decoded, texts=texts), built, process=Process(), accumulate=1),
        ShardSource(index, order_of(index, texts=texts), built, process=Process(), accumulate=1, workers=0),
    )
    for source in sources:
        assert torch.equal(take(source, 1)[0].texts, built.tokenizer(["nurse"] * 12))


def test_unknown_words_are_counted_in_memory_and_from_shards(raw, index, built, tmp_path, capsys):
    texts = ["a zyzzyva, a zyzzyva"] * 30
    decoded = read_decoded(raw, tmp_path, built)
    for source in (
        MemorySource(decoded, order_of(decoded, texts=texts), built, process=Process(), accumulate=1),
        ShardSource(index, order_of(index, texts=texts), built, process=Process(), accumulate=1, workers=0),
    ):
        take(source, 1)
        assert "the word list 'embedded' has 50.0% of the" in capsys.readouterr().err


def test_images_are_those_of_the_shards(raw, index, built, keys):
    source = ShardSource(index, order_of(index), built, process=Process(), accumulate=1, workers=0)
    [batch] = take(source, 1)
    row = keys.index(batch.keys[0])
    image = index.decode(row, index.read(row)[0])
    expected = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1
    assert torch.allclose(batch.images[0], expected, atol=1e-6)


def test_decoded_pairs_are_cached(raw, built, tmp_path, monkeypatch):
    first = read_decoded(raw, tmp_path, built)
    monkeypatch.setattr("clipfair.train.pretraining.pairs._decode", lambda *_: pytest.fail("decoded again"))
    again = read_decoded(raw, tmp_path, built)
    assert all(np.array_equal(vars(first)[name], vars(again)[name]) for name in vars(first))


def test_a_changed_shard_is_indexed_again(raw, tmp_path, keys):
    shutil.copytree(raw, tmp_path / "raw")
    paths = find_shards(tmp_path / "raw")
    assert len(read_index(paths, tmp_path)) == len(keys)
    shutil.copyfile(paths[1], paths[0])
    assert read_index(paths, tmp_path).key.tolist() == keys[20:40] * 2 + keys[40:]


# --- what is damaged or does not fit ---


def test_a_cut_shard(raw, tmp_path):
    shutil.copytree(raw, tmp_path / "raw")
    path = tmp_path / "raw/shards/00001.tar"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(
        UserError, match=r"00001\.tar: damaged, or no tar .* at or after '00001\d+\.\w+'; fetch it again"
    ):
        read_index(find_shards(tmp_path / "raw"), tmp_path)


def damage_first_image(raw, folder):
    shutil.copytree(raw, folder)
    path = folder / "shards/00000.tar"
    content = bytearray(path.read_bytes())
    content[512:600] = bytes(88)  # the first image's header
    path.write_bytes(content)


def test_a_damaged_image_that_no_condition_contains_stops_no_reader(raw, tmp_path, built):
    damage_first_image(raw, tmp_path / "raw")
    decoded = read_decoded(tmp_path / "raw", tmp_path, built)
    index = read_index(find_shards(tmp_path / "raw"), tmp_path)
    rows = np.arange(1, len(index))
    order = ExampleOrder([Stage("all", rows, ShuffledPasses(index.shard[rows], 2, (0, 0)), 10)], 12)
    memory = MemorySource(decoded, order, built, process=Process(), accumulate=1)
    shards = ShardSource(index, order, built, process=Process(), accumulate=1, workers=0)
    assert_same(take(memory, 5), take(shards, 5))


def test_a_damaged_image_of_a_condition_stops_training_from_memory(raw, tmp_path, built):
    damage_first_image(raw, tmp_path / "raw")
    decoded = read_decoded(tmp_path / "raw", tmp_path, built)
    with pytest.raises(UserError, match=r"00000\.tar: pair 000000000: damaged .*; fetch the shard again"):
        MemorySource(decoded, order_of(decoded), built, process=Process(), accumulate=1)


def test_a_caption_of_a_million_characters_costs_its_own_length_once(write_pairs, tmp_path, built):
    folder = write_pairs([("a", "A" * 1_000_000), *((f"b{number}", "a man") for number in range(2000))])
    decoded = read_decoded(folder, tmp_path, built)
    assert [len(text) for text in decoded.text[:2]] == [1_000_000, 5]
    [cached] = (tmp_path / "decoded-pairs").iterdir()
    assert cached.stat().st_size < decoded.pixels.nbytes + 2_000_000


@pytest.fixture
def write_pairs(tmp_path):
    """Returns a function that writes (key, caption) with one image as a dataset of one shard."""

    def write(pairs):
        encoded = io.BytesIO()
        Image.new("RGB", (16, 16)).save(encoded, "PNG")
        (tmp_path / "written/shards").mkdir(parents=True)
        with tarfile.open(tmp_path / "written/shards/00000.tar", "w") as tar:
            for key, caption in pairs:
                for suffix, data in (("png", encoded.getvalue()), ("txt", caption.encode())):
                    member = tarfile.TarInfo(f"{key}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        return tmp_path / "written"

    return write


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image(raw, tmp_path, built, workers):
    damage_first_image(raw, tmp_path / "raw")
    index = read_index(find_shards(tmp_path / "raw"), tmp_path)
    source = ShardSource(index, order_of(index), built, process=Process(), accumulate=1, workers=workers)
    with pytest.raises(UserError, match=r"00000\.tar: pair 000000000: damaged .*; fetch the shard again"):
        take(source, 5)


def test_a_shard_that_became_shorter(raw, tmp_path):
    shutil.copytree(raw, tmp_path / "raw")
    index = read_index(find_shards(tmp_path / "raw"), tmp_path)
    (tmp_path / "raw/shards/00000.tar").write_bytes(b"")
    with pytest.raises(UserError, match=r"pair 000000000: damaged \(the file is shorter than it was\)"):
        index.read(0)


def test_no_shards(tmp_path):
    with pytest.raises(UserError, match=r"no shards \(\*\.tar\); fetch the dataset again"):
        find_shards(tmp_path)


def parts_of(request, built, rank=0, world=1):
    return make_parts(
        request["settings"],
        request["data"],
        built,
        process=Process(rank, world),
        out=request["out"],
        scratch=request["scratch"],
    )


def test_keep_list_of_another_dataset(request_of, built, tmp_path):
    request = request_of()
    pd.DataFrame({"key": ["000000001", "zzz"]}).to_parquet(tmp_path / "other.parquet")
    request["data"]["keep"] = [str(tmp_path / "other.parquet")]
    with pytest.raises(
        UserError,
        match=r"other\.parquet: 1 of 2 keys \(first zzz\) are not in .*/shards; make the condition again",
    ):
        parts_of(request, built)


def test_a_batch_larger_than_the_data(request_of, built):
    with pytest.raises(UserError, match="condition 'balanced' has 40 examples, fewer than a batch of 48"):
        parts_of(request_of(stages=[("balanced", 1)], batch_size=48), built)


def test_more_readers_than_shards(request_of, built):
    with pytest.raises(UserError, match="2 workers x 2 processes are more readers than 3 shards"):
        parts_of(request_of(in_memory=False, workers=2), built, world=2)


def test_a_batch_that_does_not_divide(request_of, built):
    with pytest.raises(UserError, match="a batch of 8 cannot be divided into 1 processes x 3 parts"):
        parts_of(request_of(accumulate=3), built)


def test_stages_are_their_keep_lists(request_of, built, keys):
    parts = parts_of(request_of(stages=[("balanced", 0.25), ("baseline", 0.75)]), built)
    batches = take(parts.source, 12)
    balanced = {key for number, key in enumerate(keys) if number % 3}
    assert all(set(batch.keys) <= balanced for batch in batches[:3])
    assert not all(set(batch.keys) <= balanced for batch in batches[3:])
    assert [stage["steps"] for stage in parts.facts["stages"]] == [3, 9]


def test_a_small_condition_is_repeated(request_of, built):
    parts = parts_of(request_of(stages=[("balanced", 1)]), built)
    seen = [key for batch in take(parts.source, 12) for key in batch.keys]
    counts = pd.Series(seen).value_counts()
    assert len(counts) == 40
    assert set(counts) == {2, 3}  # 96 examples of 40
