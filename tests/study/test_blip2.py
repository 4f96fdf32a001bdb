"""BLIP2 as the paper's study has it: published weights, a frozen tower, a vocabulary, two probes."""

import hashlib

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from clipfair.models.blip2 import make_blip2
from clipfair.models.build import build
from tests.blip2_original import original
from tests.repository import Repository

TOWER = {"kind": "small", "width": 8, "dim": 16, "words": "embedded", "length": 16, "size": 32}
QFORMER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
PIECES += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]


def published(path):
    """The line of a file that lies in a mirror folder."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"url": f"https://example.invalid/{path.name}", "sha256": digest}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The linear probes of the reproduction, from 90 patients in the mirror folder as Harvard-FairVLMed."""
    repository = Repository(tmp_path_factory.mktemp("blip2"))
    mirror = repository.folder / "mirror"
    settings = make_settings("fundus", {"train": 60, "validation": 20, "test": 40, "size": 32})
    generate_world("fundus", settings, 0, mirror / "harvard-fairvlmed")
    clip, blip2 = mirror / "openai-l14/clip.safetensors", mirror / "blip2-l14/blip2.pth"
    vocabulary = mirror / "blip2-l14/vocab.txt"
    for path in (clip, blip2):
        path.parent.mkdir()
    vocabulary.write_text("\n".join(PIECES))
    tokenizer = {"kind": "bert", "vocabulary": str(vocabulary)}
    line = {"tower": TOWER, "queries": 3, "dim": 8, "length": 12, "qformer": QFORMER, "tokenizer": tokenizer}
    tower = build(TOWER, None, 7).model
    save_file({name: value.contiguous() for name, value in tower.state_dict().items()}, clip)
    torch.manual_seed(5)
    whole = original(make_blip2(line, tower.visual)[0])
    # As published: without the frozen tower.
    torch.save({"model": {k: v for k, v in whole.items() if not k.startswith("visual_encoder.")}}, blip2)

    def make_small(config):
        config["studies"]["paper"]["tables"] = ["fairclip/linear-probe"]
        config["subset"] = ["harvard-fairvlmed"]
        small = {"batch_size": 8, "group_batch_size": 8, "epochs": 1, "gpus": 0, "threads": 1, "warmup": 2}
        config["recipes"] = dict.fromkeys(("fairvlmed", "fairvlmed-blip2"), small)
        config["evaluations"] = {"fairvlmed-probe": {"epochs": 12, "batch_size": 16}}
        config["grids"] |= {"fair-clip": {"seeds": [0]}}

    def use_small_models(catalogue):
        models = catalogue["models"]
        models["openai-l14"] = TOWER | {"weights": published(clip)}
        models["blip2-l14"] = (
            {"kind": "blip2"}
            | line
            | {
                "tokenizer": {"kind": "bert", "vocabulary": published(vocabulary)},
                "weights": published(blip2) | {"sha256": None, "tower": "openai-l14"},
            }
        )

    repository.edit_yaml("config.yaml", make_small)
    repository.edit_yaml("config/catalogue/models.yaml", use_small_models)
    run = repository.snakemake("--config", "study=paper")
    assert run.returncode == 0, run.stderr
    return repository.folder


def test_the_table_has_both_models_before_and_after_training(built):
    table = pd.read_csv(built / "results/tables/paper/fairclip/linear-probe.csv")
    rows = list(dict.fromkeys(table["row"]))
    assert rows == ["CLIP", "CLIP-FT as released, selected on validation", "BLIP2", "BLIP2-FT"]
    auc = table[table["metric"] == "AUC"]
    assert auc["mean"].between(0, 100).all()
    assert auc["size"].nunique() == 1


def test_the_published_weights_are_completed_with_the_tower_and_trained_but_for_it(built):
    clip = load_file(built / "data/weights/openai-l14.safetensors")
    start = load_file(built / "data/weights/blip2-l14.safetensors")
    [trained] = built.glob("results/train/paper/**/method~blip2-ft/**/model.safetensors")
    end, prefix = load_file(trained), "visual.trunk.image_tokens.tower."
    for name, value in clip.items():
        if name.startswith("visual."):
            bare = name.removeprefix("visual.")
            assert torch.equal(start[f"visual_encoder.{bare}"], value)
            assert torch.equal(end[prefix + bare], value)
    assert not torch.equal(end["visual.trunk.queries"], start["query_tokens"])


def test_the_probe_of_blip2_is_the_one_that_reads_its_queries(built):
    [spec] = built.glob("results/evaluate/paper/augmented/**/method~blip2-ft/**/lam~0.spec.json")
    assert '"feature": "pre-logits"' in spec.read_text()
