"""A setting that is changed after `dvc pull`: only new runs are planned, and before them their data."""

import re
import shutil

import pytest

from tests.repository import Repository

RECORDED = (
    "results/tables/",
    "results/table5.csv",
    "results/metrics.json",
    "results/tabular/",
    "results/evaluate/",
)
FILES = (".csv", ".md", ".json", ".png", ".svg", ".parquet", ".npz", ".safetensors", ".txt")


@pytest.fixture
def pulled(tmp_path):
    """A study with fine-tunings after `dvc pull`: placeholders of its recorded outputs, and their records."""
    repository = Repository(tmp_path)

    def fine_tunings(config):
        config["studies"]["embedded"]["tables"] = ["fairclip/lambda", "fairclip/epochs", "m4/figure2"]
        config["grids"]["fair-clip"] = {"seeds": [0]}
        config["grids"]["m4-single"] = {"models": ["small-32-r64"], "balances": ["baseline"], "seeds": [0]}

    repository.edit_yaml("config.yaml", fine_tunings)
    outputs = make_planned(repository)
    run = repository.snakemake("--touch", "--forceall", "--quiet")
    assert run.returncode == 0, run.stderr
    for name in outputs:
        path = tmp_path / name
        if not name.startswith(RECORDED):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return repository


def make_planned(repository, *targets):
    """Make a placeholder for every output of a plan; return their names."""
    run = repository.snakemake("--dry-run", "--", *targets)
    assert run.returncode == 0, run.stderr
    names = []
    for outputs in re.findall(r"^    output: (.*)$", run.stdout + run.stderr, flags=re.MULTILINE):
        names += outputs.split(", ")
    for name in names:
        path = repository.folder / name
        if name.endswith(FILES):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        else:
            path.mkdir(parents=True, exist_ok=True)
            (path / ".snakemake_timestamp").touch()
    return names


def test_after_make_data_a_new_strength_runs_alone(pulled):
    assert pulled.planned() == {}
    data = pulled.planned("--", "data")
    assert data["train_seeds_0"] == 1  # the model that all fine-tunings start from
    assert not {"embed_and_evaluate", "build_run_table"} & set(data)
    make_planned(pulled, "data")
    assert pulled.planned() == {}
    pulled.edit("config/tables/fairclip.yaml", "lams: [0.07]", "lams: [0.08]")
    plan = pulled.planned()
    # One for each attribute.
    assert [plan[job] for job in ("train_seeds_0", "embed_and_evaluate")] == [2, 2]
    assert not {"fetch_dataset", "generate_dataset", "prepare_dataset", "make_condition"} & set(plan)
