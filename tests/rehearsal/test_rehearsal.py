"""The rehearsal: its miniatures, its reductions, the check that all was made, and a slice of it."""

import pandas as pd
import pytest
import yaml

from clipfair.core.catalogue import load_catalogue
from clipfair.core.io import write_json
from clipfair.data.fetch import fetch_dataset
from clipfair.data.prepare import prepare_dataset
from clipfair.plan.data_needed import datasets_needed
from clipfair.plan.loading import load_study
from tests.rehearsal.complete import expected_of, made_in, report_missing
from tests.rehearsal.datasets import WRITERS, write_dataset
from tests.rehearsal.preparation import CATALOGUE, OVERLAY, prepare, reduced
from tests.rehearsal.running import snakemake
from tests.repository import ROOT

STUDIES = ("paper", "open")


@pytest.fixture(scope="module")
def overlay(tmp_path_factory):
    """The file with what the rehearsal changes, but for checksums."""
    path = tmp_path_factory.mktemp("overlay") / OVERLAY
    path.write_text(yaml.safe_dump(reduced(STUDIES[0])), encoding="utf-8")
    return path


def test_every_dataset_of_the_studies_of_real_data_has_a_miniature():
    needed = {name for study in (*STUDIES, "lab") for name in datasets_needed(load_study(study))}
    assert needed == set(WRITERS)


@pytest.mark.parametrize("study", STUDIES)
def test_only_repetitions_are_reduced(study, overlay):
    whole, small = load_study(study), load_study(study, overlays=[overlay])
    assert expected_of(small) == expected_of(whole)
    assert len(small.batches) < len(whole.batches)


@pytest.mark.parametrize("study", STUDIES)
def test_all_trainings_are_small_and_need_no_gpu(study, overlay):
    plan = load_study(study, overlays=[overlay])
    recipes = [plan.recipe_of(batch) for batch in plan.batches]
    assert {(recipe.gpus, recipe.threads) for recipe in recipes} == {(0, 1)}
    assert max(recipe.examples or 0 for recipe in recipes) <= 1000
    assert max(recipe.epochs or 0 for recipe in recipes) <= 3


@pytest.mark.parametrize("name", WRITERS)
def test_a_miniature_passes_the_checks_of_its_original(name, tmp_path):
    catalogue = yaml.safe_load((ROOT / CATALOGUE).read_text(encoding="utf-8"))
    (tmp_path / "mirror").mkdir()
    entry = write_dataset(name, tmp_path / "mirror", catalogue[name])
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump({name: entry}, sort_keys=False), encoding="utf-8")
    dataset, raw = load_catalogue(path)[name], tmp_path / "raw"
    fetch_dataset(dataset, mirror=str(tmp_path / "mirror"), partial_dir=str(tmp_path / "p"), out_dir=str(raw))
    prepare_dataset(dataset, raw, tmp_path / "table.parquet")
    assert len(pd.read_parquet(tmp_path / "table.parquet")) == entry["expected"]["rows"]


def test_a_patient_of_every_group_and_label_is_in_every_split(tmp_path):
    catalogue = yaml.safe_load((ROOT / CATALOGUE).read_text(encoding="utf-8"))
    name = "harvard-fairvlmed"
    write_dataset(name, tmp_path, catalogue[name])
    prepare_dataset(
        load_catalogue(ROOT / CATALOGUE)[name], tmp_path / name, tmp_path / "table.parquet", subset=True
    )
    patients = pd.read_parquet(tmp_path / "table.parquet").query("used")
    for attribute in ("race", "gender", "ethnicity", "language"):
        counts = patients.groupby(["split", attribute, "glaucoma"], observed=False).size()
        assert counts.min() > 0


def test_what_was_not_made_is_named(tmp_path, capsys):
    plan = load_study("open")
    (tmp_path / "logs").mkdir()
    expected = expected_of(plan) | {"rules": {"train_model"}}
    assert report_missing(expected, made_in(tmp_path, plan)) == sum(map(len, expected.values()))
    (tmp_path / "logs/train_model").mkdir()
    (tmp_path / "logs/gather_table5.log").touch()
    assert made_in(tmp_path, plan)["rules"] == {"train_model", "gather_table5"}
    run = {"dataset": "fairface", "balance": "none", "model": "openai-rn50", "method": "clip-ft"}
    made = {"run": run, "evaluation": "fairface-gender", "kind": "group_fairness"}
    folder = tmp_path / "results/evaluate/open/seed~0"
    write_json(folder / "on~fairface-gender/metrics.json", made | {"rows": [{"value": None}]})
    assert made_in(tmp_path, plan)["evaluations"] == set()
    write_json(folder / "on~fairface-gender/metrics.json", made | {"rows": [{"value": None}, {"value": 1}]})
    found = made_in(tmp_path, plan)
    assert found["evaluations"] == {"fairface-gender"}
    assert found["methods"] == {"clip-ft"}
    capsys.readouterr()
    report_missing({"methods": ["clip-ft", "zero-shot"]}, found)
    assert capsys.readouterr().out == "  methods: 1 of 2; missing: zero-shot\n"


def test_a_slice_from_the_published_files_to_tables(tmp_path):
    """One chain of each paper: CC12M's shards to Figure 12, FairVLMed's npz files to a table."""
    prepare(tmp_path, ["paper"])
    chosen = {
        "studies": {"paper": {"tables": ["m4/figure12", "fairclip/original-table3"]}},
        "grids": {
            "m4-neutralise": {"evaluations": ["imagenet-few-shot"], "balances": ["proxies", "neutralise"]},
            "fair-released": {"methods": ["clip-ft-released"], "models": ["openai-b16"]},
            "fair-zero-shot": {"methods": ["fairclip-released"]},
        },
        "tables": {
            "m4/figure12": {
                "settings": {
                    "metrics": ["accuracy_10shot"],
                    "shown": ["imagenet-few-shot"],
                    "conditions": ["proxies", "neutralise"],
                }
            }
        },
    }
    (tmp_path / "slice.yaml").write_text(yaml.safe_dump(chosen), encoding="utf-8")
    snakemake(tmp_path, "paper", "--configfile", OVERLAY, "slice.yaml", "--cores", "2", capture=True)
    tables = tmp_path / "results/tables/paper"
    quality = pd.read_csv(tables / "m4/figure12.csv")
    assert quality["condition"].tolist() == ["proxies", "neutralise"]
    assert quality["mean"].between(0, 1).all()
    assert set(quality["data"]) == {"synthetic"}
    auc = pd.read_csv(tables / "fairclip/original-table3.csv").query("metric == 'AUC'")
    assert auc["method"].tolist() == ["clip-ft-released", "fairclip-released"]
    assert auc["mean"].between(0, 100).all()
