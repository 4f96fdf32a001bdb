"""The package of `pip install .`: the tool that balances tables, without the dependencies of the workflow."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

# Runs the console command with every import blocked that the wheel does not declare.
RUN_TOOL = """\
import sys
blocked = set(sys.argv[1].split(","))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} is not a dependency of the tool")

sys.meta_path.insert(0, Blocker())
import importlib
import clipfair
assert "unpacked" in clipfair.__file__, clipfair.__file__
module, function = sys.argv[2].split(":")
getattr(importlib.import_module(module), function)(sys.argv[3:])
from clipfair.balance import M4Balancer
M4Balancer(rate="max").fit([[1], [1], [0], [0]], [[1], [0], [0], [0]])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources with what is installed, and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "src", folder / "copy" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "copy" / name)
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    built = subprocess.run(
        [sys.executable, "-m", "pip", *build, "--wheel-dir", str(folder), str(folder / "copy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(folder.glob("clipfair-*.whl"))) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.fixture(scope="module")
def distribution(wheel):
    return next(iter(metadata.distributions(path=[str(wheel)])))


def test_the_base_dependencies_have_no_part_of_the_workflow(distribution):
    requirements = [Requirement(text) for text in distribution.requires]
    base = {one.name for one in requirements if one.marker is None}
    workflow = {one.name for one in requirements if one.marker and one.marker.evaluate({"extra": "workflow"})}
    assert base == {"numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "threadpoolctl", "tqdm"}
    assert {"snakemake", "dvc", "pydantic"} <= workflow
    assert "torch" not in base | workflow


def test_the_console_command_runs_with_the_base_dependencies_alone(wheel, distribution, tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = {
        Requirement(text).name.replace("-", "_").lower()
        for group in ("workflow", "clip")
        for text in project["optional-dependencies"][group]
    }
    # Names of modules where they differ from those of distributions. joblib asks for psutil if it is there.
    blocked = (optional | {"yaml", "PIL", "open_clip", "markdown_it"}) - {"psutil"}
    frame = pd.DataFrame({"sex": ["f", "m", "m"] * 40, "rich": [1, 1, 0] * 40})
    frame.to_csv(tmp_path / "people.csv", index=False)
    (command,) = distribution.entry_points.select(group="console_scripts", name="clipfair-balance")
    arguments = [str(tmp_path / "people.csv"), "--sensitive", "sex", "--labels", "rich", "--rate", "0.5"]
    arguments += ["--out", str(tmp_path / "out")]
    ran = subprocess.run(
        [sys.executable, "-c", RUN_TOOL, ",".join(sorted(blocked)), command.value, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
    )
    assert ran.returncode == 0, ran.stderr
    assert "rows                    120 in 1 file" in ran.stdout
    assert (tmp_path / "out" / "keep.parquet").is_file()
