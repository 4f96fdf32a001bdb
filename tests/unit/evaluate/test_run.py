import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.core.io import read_json, sha256_of
from clipfair.core.paths import Run
from clipfair.evaluate.embed.files import Checkpoint, write_checkpoint, write_images
from clipfair.evaluate.run import evaluate_runs
from clipfair.evaluate.texts import text_sets

EVALUATIONS = {
    "faces-association": {
        "kind": "association",
        "dataset": "faces",
        "split": "val",
        "attribute": "gender",
        "groups": {"man": "Male", "woman": "Female"},
        "occupations": ["nurse", "cook"],
        "neutral": "",
    },
    "faces-retrieval": {"kind": "retrieval", "dataset": "faces", "split": "val", "captions": "all"},
}


def a_run(seed):
    return Run(dataset="web", balance="baseline", model="small", method="clip", seed=seed)


@pytest.fixture
def faces(tmp_path):
    table = pd.DataFrame(
        {
            "key": [f"f{n}" for n in range(12)],
            "split": ["val", "train"] * 6,
            "gender": pd.Categorical(["Male", "Male", "Female", "Female"] * 3),
            "captions": [["a"], ["b", "c"]] * 6,
            "image_bytes": [b"x"] * 12,
        }
    )
    table.to_parquet(tmp_path / "faces.parquet")
    return table


def random_units(rng, rows):
    values = rng.normal(size=(rows, 8))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.fixture
def write_embeddings(faces, tmp_path):
    """Returns a function that writes the embeddings of one checkpoint, rows in an order of their own."""

    def write(seed, examples, final, keys=None, resize=None):
        rng = np.random.default_rng([seed, examples, resize or 0])
        checkpoint = Checkpoint(a_run(seed), examples, final, f"m{seed}-{examples}", 10.0, 0.0)
        sets = {
            texts.digest: texts
            for settings in EVALUATIONS.values()
            for texts in text_sets(settings, faces).values()
        }
        write_checkpoint(
            tmp_path / "embed",
            checkpoint,
            {digest: random_units(rng, len(texts.names)) for digest, texts in sets.items()},
        )
        keys = faces["key"].tolist()[::-1] if keys is None else keys
        write_images(
            tmp_path / "embed",
            checkpoint,
            "faces",
            keys=keys,
            images=random_units(rng, len(keys)),
            features=random_units(rng, len(keys)),
            data_digest=sha256_of(tmp_path / "faces.parquet"),
            resize=resize,
        )

    return write


@pytest.fixture
def evaluate(tmp_path):
    def run(out="out", seeds=(0, 1), evaluations=EVALUATIONS):
        evaluate_runs(
            str(tmp_path / "embed"),
            {"faces": str(tmp_path / "faces.parquet")},
            evaluations,
            [vars(a_run(seed)) for seed in seeds],
            str(tmp_path / out),
        )
        return tmp_path / out

    return run


def test_a_record_names_run_evaluation_and_digests(write_embeddings, evaluate, tmp_path):
    for seed in (0, 1):
        write_embeddings(seed, 100, final=True)
    record = read_json(evaluate() / "seed~1/on~faces-association/metrics.json")

    assert record.pop("rows")
    assert record == {
        "run": vars(a_run(1)),
        "evaluation": "faces-association",
        "kind": "association",
        "dataset": "faces",
        "split": "val",
        "model_digest": "m1-100",
        "data_digest": sha256_of(tmp_path / "faces.parquet"),
    }


def test_a_row_is_closed(write_embeddings, evaluate):
    for seed in (0, 1):
        write_embeddings(seed, 100, final=True)
    keys = ["examples", "metric", "label", "group", "value", "n", "low", "high", "reason"]
    for path in evaluate().rglob("metrics.json"):
        for row in read_json(path)["rows"]:
            assert list(row) == keys
            assert (row["value"] is None) == (row["reason"] is not None)


def test_bias_is_evaluated_at_every_checkpoint_and_quality_at_the_last(write_embeddings, evaluate):
    for seed in (0, 1):
        for examples in (50, 100):
            write_embeddings(seed, examples, final=examples == 100)
    folder = evaluate() / "seed~0"

    def examples_of(name):
        rows = read_json(folder / f"on~{name}/metrics.json")["rows"]
        scores = pd.read_parquet(folder / f"on~{name}/scores.parquet")
        return {row["examples"] for row in rows}, set(scores["examples"])

    assert examples_of("faces-association") == ({50, 100}, {50, 100})
    assert examples_of("faces-retrieval") == ({100}, {100})


def test_embeddings_are_matched_by_key(write_embeddings, evaluate, faces, tmp_path):
    write_embeddings(0, 100, final=True)
    scores = pd.read_parquet(evaluate(seeds=[0]) / "seed~0/on~faces-association/scores.parquet")

    assert scores["key"].tolist() == faces["key"][::2].tolist()
    assert scores["group"].tolist() == ["man", "woman"] * 3
    # Keys were written last to first, so the first of them has the last embedding.
    arrays = np.load(tmp_path / "embed/seed~0/examples~100/faces.npz")
    texts = np.load(tmp_path / "embed/seed~0/examples~100/texts.npz")
    digest = text_sets(EVALUATIONS["faces-association"], faces)["occupations"].digest
    expected = arrays["images"][-1].astype(float) @ texts[digest][0].astype(float)
    assert scores["cosine(nurse)"][0] == pytest.approx(expected, abs=1e-6)


def test_an_evaluation_reads_the_images_that_were_prepared_for_it(write_embeddings, evaluate):
    write_embeddings(0, 100, final=True)
    own = evaluate("own", seeds=[0]) / "seed~0/on~faces-retrieval/metrics.json"
    cropping = {name: {**settings, "resize": 256} for name, settings in EVALUATIONS.items()}
    with pytest.raises(UserError, match=r"faces~256\.npz: no such embeddings"):
        evaluate("cropped", seeds=[0], evaluations=cropping)
    write_embeddings(0, 100, final=True, resize=256)
    cropped = evaluate("cropped", seeds=[0], evaluations=cropping) / "seed~0/on~faces-retrieval/metrics.json"

    assert read_json(own)["rows"] != read_json(cropped)["rows"]


def test_same_bytes_again(write_embeddings, evaluate):
    for seed in (0, 1):
        write_embeddings(seed, 100, final=True)
    for path in evaluate("once").rglob("*.*"):
        twin = path.parents[3] / "again" / path.relative_to(path.parents[2])
        evaluate("again") if not twin.exists() else None
        assert path.read_bytes() == twin.read_bytes()


def test_missing_examples_are_counted(write_embeddings, evaluate):
    write_embeddings(0, 100, final=True, keys=["f0", "f1", "f4"])

    with pytest.raises(UserError, match="embeddings of faces: 4 of 6 examples are missing, the first 'f2'"):
        evaluate(seeds=[0])


def test_a_missing_seed_is_named(write_embeddings, evaluate):
    write_embeddings(0, 100, final=True)

    with pytest.raises(UserError, match=r"no embeddings of .*seed~1"):
        evaluate()


def test_a_table_that_changed_is_refused(write_embeddings, evaluate, faces, tmp_path):
    write_embeddings(0, 100, final=True)
    faces.assign(gender="Male").to_parquet(tmp_path / "faces.parquet")

    with pytest.raises(UserError, match="embeddings of another version of the data"):
        evaluate(seeds=[0])
