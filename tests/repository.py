"""A small copy of the repository that tests run, break and edit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from clipfair.data.datasets import adult

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config.yaml", "config", "profiles", "src", "workflow", "resources", "envs")


class Repository:
    """The files that the workflow needs, copied to a folder, with a tiny Adult in its mirror.

    The mirror's files have UCI's format but not UCI's bytes: the copy's catalogue expects no checksums and no
    counts of them.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        copy_parts(folder)
        self.edit_yaml("resources/datasets.yaml", self._accept_any_adult)
        self.edit_yaml("config.yaml", self._make_tiny)
        write_adult(folder / "mirror" / "adult", rows=600)

    def snakemake(self, *arguments: str, cores: int = 2, **environment: str) -> subprocess.CompletedProcess:
        """Run Snakemake in the copy, as on the command line."""
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        inherited = {name: value for name, value in os.environ.items() if name != "CLIPFAIR_MIRROR"}
        return subprocess.run(
            command, cwd=self.folder, env=inherited | environment, capture_output=True, text=True, check=False
        )

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return rule -> number of planned jobs of a dry run."""
        run = self.snakemake("--dry-run", *arguments)
        assert run.returncode == 0, run.stderr
        return jobs_of(run.stdout + run.stderr)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def edit_yaml(self, name: str, change) -> None:
        path = self.folder / name
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")

    @staticmethod
    def _accept_any_adult(catalogue: dict) -> None:
        catalogue["adult"]["layouts"] = {"uci": {"adult.data": {}, "adult.test": {}}}
        catalogue["adult"]["expected"] = {}

    @staticmethod
    def _make_tiny(config: dict) -> None:
        config["mirror"] = "mirror"
        config["studies"] = {
            study: {"tables": ["m4/table5"]} for study in ("embedded", "lab", "open", "paper")
        }
        config["classifiers"] = {"mlp-128": {"epochs": 1}}
        config["grids"] = {
            "table5": {
                "tasks": ["adult"],
                "mitigations": ["baseline", "rto", "m4"],
                "seeds": [0, 1],
            }
        }


def copy_parts(folder: Path) -> None:
    """Copy the files that the workflow needs into a folder, in place of older ones."""
    for name in PARTS:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)


def jobs_of(plan: str) -> dict[str, int]:
    """Return rule -> number of jobs in the output of a dry run."""
    _, _, stats = plan.partition("Job stats:\n")
    counts = re.findall(r"^(\w+) +(\d+)$", stats, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in counts if rule not in ("total", "all")}


def read_tables(folder: Path) -> dict[str, bytes]:
    """Return name -> bytes of every table of a study and its pages."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (*folder.glob("results/tables/**/*"), *folder.glob("results/*.csv"))
        if path.suffix in (".csv", ".md", ".html")
    }


def write_adult(folder: Path, *, rows: int) -> None:
    """Write random adult.data and adult.test in UCI's format, with more income for men."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for name, ending in (("adult.data", ""), ("adult.test", ".")):
        lines = [_person(generator, ending) for _ in range(rows)]
        head = ["|1x3 Cross validator"] if ending else []
        (folder / name).write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


def _person(generator: np.random.Generator, ending: str) -> str:
    values = {name: str(generator.integers(1, 60)) for name in adult.NUMBERS}
    values |= {name: generator.choice(known.split()) for name, known in adult.CATEGORIES.items()}
    values["sex"] = generator.choice(["Female", "Male"])
    rich = generator.random() < (0.4 if values["sex"] == "Male" else 0.15)
    values["income"] = (">50K" if rich else "<=50K") + ending
    return ", ".join(values[name] for name in adult.COLUMNS)
