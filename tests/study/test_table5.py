"""Table 5 end to end on a tiny Adult: from files in UCI's format to the gathered table, and reruns."""

import pandas as pd
import pytest

from clipfair.core.io import read_json, sha256_of
from clipfair.tabular.metrics import evaluate_predictions
from tests.repository import Repository

TABLE = "results/tables/embedded/m4/table5"
BATCH = "results/tabular/embedded/dataset~adult/balance~none/model~mlp-128/method~{}/attr~sex/lam~0"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The tiny study, built once from nothing."""
    repository = Repository(tmp_path_factory.mktemp("study"))
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return repository


def test_one_call_makes_everything_and_a_second_has_nothing_to_do(built):
    for name in (f"{TABLE}.csv", f"{TABLE}.md", f"{TABLE}.compare.csv", f"{TABLE}.svg", "results/table5.csv"):
        assert (built.folder / name).stat().st_size > 0
    again = built.snakemake()
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout + again.stderr


def test_every_row_has_means_deviations_and_published_values(built):
    table = pd.read_csv(built.folder / "results/table5.csv")
    assert set(zip(table["row"], table["metric"], strict=True)) == {
        (row, metric) for row in ("baseline", "rto", "m4") for metric in ("DP", "Error", "Balanced Error")
    }
    assert table[["mean", "std", "n", "published_mean", "published_std"]].notna().all(axis=None)
    assert set(table["n"]) == {2}
    assert set(table["study"]) == {"embedded"}
    assert set(table["paper"]) == {"m4"}


@pytest.mark.parametrize("method", ["baseline", "rto", "m4"])
def test_the_metrics_follow_from_the_saved_predictions(built, method):
    folder = built.folder / BATCH.format(method)
    predictions = pd.read_parquet(folder / "predictions.parquet")
    record = read_json(folder / "metrics.json")
    for repeat in record["repeats"]:
        chosen = predictions[predictions["seed"] == repeat["seed"]]
        again = evaluate_predictions(
            chosen["y"].to_numpy(),
            chosen["y_hat"].to_numpy(),
            sensitive_features=chosen["s"].to_numpy(),
            groups=record["groups"],
        )
        assert {key: repeat[key] for key in again} == again


def test_the_spec_names_what_made_the_result(built):
    folder = built.folder / BATCH.format("m4")
    spec = read_json(folder / "spec.json")
    table = built.folder / spec["inputs"]["table"]["path"]
    assert spec["inputs"]["table"]["sha256"] == sha256_of(table)
    assert spec["settings"]["seeds"] == [0, 1]
    assert spec["settings"]["kind"] == "m4"


def test_an_edit_reruns_what_depends_on_it_and_a_comment_nothing(built):
    assert built.planned() == {}

    built.edit("src/clipfair/m4/exact.py", "def solve(", "# A remark.\ndef solve(")
    assert built.planned() == {}

    built.edit("src/clipfair/m4/exact.py", "max_iterations: int = 500", "max_iterations: int = 501")
    of_table = {
        "build_table": 1,
        "draw_figure": 1,
        "gather_table5": 1,
        "gather_metrics": 1,
        "render_pages": 1,
    }
    assert built.planned() == {"evaluate_mitigation": 1, **of_table}
    built.edit("src/clipfair/m4/exact.py", "max_iterations: int = 501", "max_iterations: int = 500")
    assert built.planned() == {}

    built.edit("src/clipfair/tabular/metrics.py", "100 * float(", "100.0 * float(")
    assert built.planned()["evaluate_mitigation"] == 3
    built.edit("src/clipfair/tabular/metrics.py", "100.0 * float(", "100 * float(")

    built.edit("src/clipfair/tables/common/compare.py", "LIMIT = 2.0", "LIMIT = 3.0")
    assert built.planned() == of_table
    built.edit("src/clipfair/tables/common/compare.py", "LIMIT = 3.0", "LIMIT = 2.0")
    assert built.planned() == {}


def test_a_setting_reruns_its_method_only_and_a_seed_every_batch(built):
    built.edit("config/catalogue/tabular.yaml", "gamma: 1}", "gamma: 2}")
    assert built.planned()["evaluate_mitigation"] == 1
    built.edit("config/catalogue/tabular.yaml", "gamma: 2}", "gamma: 1}")

    built.edit_yaml("config.yaml", lambda config: config["grids"]["table5"].update(seeds=[0, 1, 2]))
    assert built.planned()["evaluate_mitigation"] == 3
    built.edit_yaml("config.yaml", lambda config: config["grids"]["table5"].update(seeds=[0, 1]))
    assert built.planned() == {}


def test_the_same_seed_gives_the_same_bytes(built):
    names = [
        f"{TABLE}.csv",
        f"{BATCH.format('m4')}/metrics.json",
        f"{BATCH.format('rto')}/predictions.parquet",
    ]
    before = {name: sha256_of(built.folder / name) for name in names}
    run = built.snakemake("--forcerun", "evaluate_mitigation")
    assert run.returncode == 0, run.stderr
    assert {name: sha256_of(built.folder / name) for name in names} == before


def test_a_single_target_from_another_folder(built, tmp_path):
    mirror = str(built.folder / "mirror")
    run = built.snakemake(
        "--directory", str(tmp_path), "--config", f"mirror={mirror}", "--", "results/table5.csv"
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "results/table5.csv").read_bytes() == (
        built.folder / "results/table5.csv"
    ).read_bytes()
