"""The lock is the one source of every environment."""

import importlib.util
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def render():
    spec = importlib.util.spec_from_file_location("render", ROOT / "envs" / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pip_pins(environment):
    text = (ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["dependencies"][-1]["pip"]


@pytest.mark.parametrize("environment", ["workflow", "clip"])
def test_environment_files_follow_the_lock(render, environment):
    text = (ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8")
    assert text == render.render(environment), "run `make lock` (or envs/render.py) and commit"


def test_environments_hold_what_their_jobs_import():
    workflow, clip = ({re.split("==", pin)[0] for pin in pip_pins(name)} for name in ("workflow", "clip"))
    assert {"snakemake", "pandas", "scipy", "fairlearn", "scikit-learn", "numpy", "pyarrow"} <= workflow
    assert {"torch", "open-clip-torch", "geomloss"} <= clip - workflow
    assert workflow < clip
    assert "pytest" not in clip


def test_the_lock_has_every_direct_dependency(render):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins, _ = render.read_lock(LOCK)
    assert render.direct_dependencies(project, ["workflow", "clip", "dev"]) <= set(pins)


def test_the_lock_names_hashes_and_no_index():
    pins = re.findall(r"^[A-Za-z0-9._-]+==", LOCK, flags=re.MULTILINE)
    entries = re.split(r"^(?=[A-Za-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(pins) == len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--index|--extra-index|--find-links", LOCK)


def test_the_running_environment_is_the_locked_one(render):
    pins, _ = render.read_lock(LOCK)
    for package in ("snakemake", "numpy", "pandas", "scikit-learn", "fairlearn"):
        versions = {re.match(r"[^=]+==([^ ;]+)", pin)[1] for pin in pins[package]}
        assert metadata.version(package) in versions


def test_the_closure_follows_the_notes_of_the_lock(render):
    _, needed_by = render.read_lock(
        "a==1 \\\n    --hash=sha256:00\n    # via clipfair (pyproject.toml)\n"
        "b==2 ; sys_platform == 'linux' \\\n    --hash=sha256:00\n    # via\n    #   a\n    #   c\n"
        "c==3 \\\n    --hash=sha256:00\n    # via clipfair (pyproject.toml)\n"
        "d==4 \\\n    --hash=sha256:00\n    # via b\n"
    )
    assert render.closure({"a"}, needed_by) == {"a", "b", "d"}
    assert render.closure({"c"}, needed_by) == {"b", "c", "d"}
