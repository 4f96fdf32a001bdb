"""What stands in for a private corpus: pairs without labels, annotated by a CLIP that captions calibrate."""

import shutil

import pandas as pd
import pytest
from safetensors.torch import save_file

from clipfair.core.io import read_json
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from clipfair.models.build import build
from tests.repository import Repository

MODEL = {"kind": "small", "width": 8, "dim": 16, "words": "embedded", "length": 48, "size": 32}
TABLES = "results/tables/paper/m4"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The conditions of the study paper, on 1,200 pairs that lie in the mirror folder as CC12M."""
    repository = Repository(tmp_path_factory.mktemp("paper"))
    folder = repository.folder

    def make_small(config):
        config["studies"]["paper"]["tables"] = ["m4/conditions-web", "m4/figure10-web"]
        config["annotations"] = {"cc12m": {"shards": 2, "annotator": {"labelled_shards": 1}}}
        config["tables"] = {
            "m4/conditions-web": {"balances": ["baseline", "drop-human-50"]},
            "m4/figure10-web": {"balances": ["drop-human-50"]},
        }

    def use_a_small_model(catalogue):
        weights = catalogue["models"]["openai-b16"]["weights"]
        catalogue["models"]["openai-b16"] = MODEL | {"weights": weights}

    repository.edit_yaml("config.yaml", make_small)
    repository.edit_yaml("config/catalogue/models.yaml", use_a_small_model)
    settings = make_settings("web", {"pairs": 1200, "shard_size": 600})
    generate_world("web", settings, 0, folder / "web")
    (folder / "mirror/cc12m").mkdir()
    shutil.move(folder / "web/shards", folder / "mirror/cc12m/shards")
    weights = folder / "data/weights/openai-b16.safetensors"
    weights.parent.mkdir(parents=True)
    save_file(
        {name: value.contiguous() for name, value in build(MODEL, None, 0).model.state_dict().items()},
        weights,
    )
    run = repository.snakemake("--config", "study=paper")
    assert run.returncode == 0, run.stderr
    return folder


def test_every_table_says_what_it_stands_in_for(built):
    for table in ("conditions-web", "figure10-web"):
        assert "The dataset cc12m is used instead of WebLI." in (built / TABLES / f"{table}.md").read_text()


def test_pictures_are_annotated_as_often_as_captions_mention(built):
    folder = built / "results/annotate/paper/dataset~cc12m"
    first = pd.read_parquet(folder / "shard~00000.parquet")
    labels = [name.removeprefix("image.") for name in first if name.startswith("image.")]
    assert {"gender=man", "gender=woman", "human=person"} <= set(labels)
    for name in labels:
        # The first shard is what the thresholds were set on.
        told = (
            first.filter(regex=r"^text\.human=").any(axis=1)
            if name == "human=person"
            else first[f"text.{name}"]
        )
        assert abs(int(first[f"image.{name}"].sum()) - int(told.sum())) <= 1
    left_out = read_json(folder / "annotator.report.json")["left_out"]
    assert left_out["occupation=accountant"] == 0
    assert not set(left_out) & set(labels)
