"""Results recorded with DVC are pulled in a fresh clone; Snakemake then runs only what has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT, Repository, jobs_of, read_tables

RECORDED = (
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
    ".dvc/.gitignore",
    "heavy/dvc.yaml",
    "requirements.lock",
)
METRICS = (
    "results/tabular/embedded/dataset~adult/balance~none/model~mlp-128/method~m4/attr~sex/lam~0/metrics.json"
)


class Clone:
    """A folder under git and DVC that can run Snakemake."""

    def __init__(self, folder: Path):
        self.folder = folder

    def sh(self, *command: str, ok: bool = True, **environment: str) -> str:
        """Run a command and return its output; DVC and Snakemake run with this Python."""
        if command[0] in ("dvc", "snakemake"):
            command = (sys.executable, "-m", *command)
        run = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        output = run.stdout + run.stderr
        assert (run.returncode == 0) == ok, output
        return output

    def clone(self, folder: Path) -> "Clone":
        self.sh("git", "clone", "--quiet", str(self.folder), str(folder))
        return Clone(folder)

    def plan(self, *arguments: str) -> dict[str, int]:
        return jobs_of(self.sh("snakemake", "--dry-run", "--cores", "1", *arguments))

    def set(self, old: str, new: str, name: str = "config.yaml") -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def isolated_home(tmp_path_factory):
    """Git and DVC without the user's own settings, caches and identity."""
    home = tmp_path_factory.mktemp("home")
    names = {"name": "clipfair", "email": "tests@clipfair.example"}
    who = {
        f"GIT_{role}_{key.upper()}": value for role in ("AUTHOR", "COMMITTER") for key, value in names.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": str(home), "XDG_CONFIG_HOME": str(home), **who}.items():
            patch.setenv(name, value)
        yield home


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The small study, run, recorded and pushed to the remote in the repository."""
    repository = Repository(tmp_path_factory.mktemp("recorded"))
    for name in RECORDED:
        target = repository.folder / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    clone = Clone(repository.folder)
    for name in ("evaluate", "probe"):
        (clone.folder / "results" / name).mkdir()
    clone.sh("git", "init", "--quiet")
    clone.sh("dvc", "commit", "--force")
    clone.sh("dvc", "push")
    clone.sh("git", "add", "--all")
    clone.sh("git", "commit", "--quiet", "--message", "recorded")
    return clone


@pytest.fixture
def pulled(recorded, tmp_path):
    """A fresh clone after ``dvc pull``."""
    clone = recorded.clone(tmp_path / "clone")
    clone.sh("dvc", "pull")
    return clone


def test_a_clone_pulls_everything_without_an_account_and_plans_nothing(recorded, pulled):
    assert read_tables(pulled.folder) == read_tables(recorded.folder)
    assert (pulled.folder / "results/tables/embedded/m4/table5.png").is_file()
    assert pulled.plan() == {}
    assert "up to date" in pulled.sh("dvc", "status")


def test_metrics_and_plots_are_shown(recorded, tmp_path):
    clone = recorded.clone(tmp_path / "clone")
    clone.sh("dvc", "pull")
    metrics = clone.folder / "results/metrics.json"
    metrics.write_text(metrics.read_text().replace('"reproduced": ', '"reproduced": 9'))
    assert "m4/table5.verdicts.reproduced" in clone.sh("dvc", "metrics", "diff")
    clone.sh("dvc", "plots", "show", "--out", "plots")
    page = (clone.folder / "plots/index.html").read_text()
    assert "published_mean" in page
    assert "table5.png" in page


def test_recording_again_changes_nothing(recorded):
    recorded.sh("dvc", "commit", "--force")
    assert "Everything is up to date" in recorded.sh("dvc", "push")
    assert recorded.sh("git", "status", "--short") == ""


def test_local_jobs_build_table5_from_pulled_records(recorded, tmp_path):
    clone = recorded.clone(tmp_path / "clone")
    clone.sh("dvc", "pull", "results/tabular", ".snakemake/metadata")
    assert set(clone.plan("results/table5.csv")) == {"build_table", "gather_table5"}
    clone.sh("snakemake", "--cores", "1", "results/table5.csv")
    name = "results/table5.csv"
    assert (clone.folder / name).read_bytes() == (recorded.folder / name).read_bytes()


def test_a_pulled_output_whose_config_changed_is_made_again_and_no_other(pulled):
    """The data are made first, as by `make data`: as new files they would make all results look outdated."""
    pulled.set("gamma: 1}", "gamma: 2}", "config/catalogue/tabular.yaml")
    assert "config" in pulled.sh("dvc", "status")
    pulled.sh("snakemake", "--cores", "1", "--until", "prepare_dataset")
    plan = pulled.plan()
    assert plan["evaluate_mitigation"] == plan["build_table"] == 1
    assert "prepare_dataset" not in plan


def test_a_run_that_is_added_after_a_pull_runs_alone(pulled):
    pulled.set("    - m4\n", "    - m4\n    - rto-0.05\n")
    assert pulled.plan("--", "data") == {"data": 1, "fetch_dataset": 1, "prepare_dataset": 1}
    pulled.sh("snakemake", "--cores", "1", "--", "data")
    plan = pulled.plan()
    assert plan["evaluate_mitigation"] == plan["build_table"] == 1
    assert not {"fetch_dataset", "prepare_dataset"} & set(plan)


def test_a_pulled_output_whose_code_changed_is_made_again_and_no_other(pulled):
    pulled.set("\n\n\n", "\n\nUNUSED = 1\n\n\n", "src/clipfair/tabular/methods/rto.py")
    pulled.sh("snakemake", "--cores", "1", "--until", "prepare_dataset")
    assert pulled.plan()["evaluate_mitigation"] == 1


def test_a_pulled_output_that_was_edited_is_reported_and_tables_are_made_again(pulled):
    (pulled.folder / METRICS).write_text("{}\n")
    assert "results/tabular" in pulled.sh("dvc", "status")
    assert pulled.plan()["build_table"] == 1


@pytest.mark.parametrize("links", ["hardlink", "symlink", "copy"])
def test_with_any_preferred_link_type_the_next_run_works_and_the_cache_stays_intact(
    recorded, tmp_path, isolated_home, links
):
    """The repository's cache.type overrides a global one: Snakemake would write through a link."""
    clone = recorded.clone(tmp_path / "clone")
    clone.sh("dvc", "config", "--global", "cache.type", links)
    clone.sh("dvc", "pull")
    clone.set("gamma: 1}", "gamma: 2}", "config/catalogue/tabular.yaml")
    # Only a table: the dataset is not in the clone.
    table = clone.folder / "results/table5.csv"
    table.unlink()
    clone.sh("snakemake", "--cores", "1", "results/table5.csv", "--allowed-rules", "gather_table5")
    assert not table.is_symlink()
    assert "not in cache" not in clone.sh("dvc", "status", "--json")


def test_results_can_be_checked_out_of_a_read_only_cache(recorded, tmp_path):
    shared = tmp_path / "shared"
    shutil.copytree(recorded.folder / ".dvc/cache", shared)
    for path in shared.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    clone = recorded.clone(tmp_path / "clone")
    clone.sh("dvc", "cache", "dir", "--local", str(shared))
    clone.sh("dvc", "checkout")
    assert os.access(clone.folder / "results/table5.csv", os.W_OK)
    assert clone.plan() == {}
