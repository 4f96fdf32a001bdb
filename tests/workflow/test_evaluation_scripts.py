"""One job that embeds and evaluates a batch writes the bytes of two jobs, whatever else it evaluates."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipfair.core.numerics import numerics_in_use
from tests.repository import ROOT

MODEL = {"kind": "small", "width": 8, "dim": 16, "words": "embedded", "length": 16, "size": 32}
EVALUATIONS = {
    "faces-gender": {
        "kind": "group_fairness",
        "dataset": "faces",
        "split": "val",
        "label": "gender",
        "positive": "Male",
        "prompts": ["a female person", "a male person"],
        "sensitive": ["race"],
        "captions": "all",
        "distances": {"distance_wasserstein": {"kind": "wasserstein", "p": 2}},
    },
    "faces-retrieval": {"kind": "retrieval", "dataset": "faces", "split": "val", "captions": "all"},
}


def image(seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def faces(tmp_path):
    """The places of a dataset of 16 images."""
    table = pd.DataFrame(
        {
            "key": [f"f{n}" for n in range(16)],
            "image_bytes": [image(n) for n in range(16)],
            "split": "val",
            "gender": pd.Categorical(["Male", "Female"] * 8),
            "race": pd.Categorical(["a", "a", "b", "b"] * 4),
            "captions": [[f"a {word}"] for word in ("nurse", "cook", "man", "woman") * 4],
        }
    )
    table.to_parquet(tmp_path / "faces.parquet")
    return {"table": str(tmp_path / "faces.parquet"), "raw": str(tmp_path)}


def run_script(name: str, faces: dict, seeds: tuple[int, ...], *, output: dict, inputs: dict) -> None:
    """Execute a rule's script as Snakemake does, for untrained models of some seeds."""
    run = {"dataset": "web", "balance": "baseline", "model": "small", "method": "clip", "attr": "none"}
    models = [
        {
            "run": {**run, "lam": "0", "seed": seed},
            "settings": MODEL,
            **dict.fromkeys(("weights", "snapshots", "spec")),
        }
        for seed in seeds
    ]
    params = {
        "parts": [{"models": models, "datasets": {"faces": faces}}],
        "evaluations": EVALUATIONS,
        "numerics": numerics_in_use(),
        **dict.fromkeys(("code", "embedding_code", "evaluation_code"), ""),
    }

    class Params(dict):
        __getattr__ = dict.__getitem__

    snakemake = SimpleNamespace(
        rule=name,
        log=[str(Path(faces["raw"], "log.txt"))],
        threads=1,
        resources=SimpleNamespace(gpu=0),
        params=Params(params),
        output=SimpleNamespace(**output),
        input=SimpleNamespace(models=[], tables=[faces["table"]], **inputs),
    )
    code = (ROOT / f"workflow/scripts/{name}.py").read_text(encoding="utf-8")
    exec(compile(code, name, "exec"), {"snakemake": snakemake})


def contents(folder: Path) -> dict[str, bytes]:
    """Return name -> bytes of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def evaluate_in_one_job(faces: dict, folder: Path, seeds: tuple[int, ...]) -> None:
    output = {name: str(folder / name) for name in ("embeddings", "evaluations")}
    specs = {f"{name}_spec": f"{path}.spec.json" for name, path in output.items()}
    run_script("embed_and_evaluate", faces, seeds, output=output | specs, inputs={})


def test_one_job_writes_the_bytes_of_two(faces, tmp_path):
    evaluate_in_one_job(faces, tmp_path / "one", (0, 1))
    two = {name: str(tmp_path / "two" / name) for name in ("embeddings", "evaluations")}
    outputs = [{"folder": folder, "spec": f"{folder}.spec.json"} for folder in two.values()]
    run_script("embed_split", faces, (0, 1), output=outputs[0], inputs={})
    made = {"embeddings": two["embeddings"], "spec": outputs[0]["spec"]}
    run_script("evaluate_run", faces, (0, 1), output=outputs[1], inputs=made)
    for name, folder in two.items():
        found = contents(tmp_path / "one" / name)
        assert len(found) >= 4
        assert found == contents(Path(folder))


def test_a_seed_has_the_same_bytes_alone_and_with_others(faces, tmp_path):
    evaluate_in_one_job(faces, tmp_path / "alone", (1,))
    evaluate_in_one_job(faces, tmp_path / "together", (0, 1, 2))
    for name in ("embeddings", "evaluations"):
        alone = contents(tmp_path / "alone" / name)
        together = contents(tmp_path / "together" / name)
        assert alone == {file: together[file] for file in together if file.startswith("seed~1/")}
