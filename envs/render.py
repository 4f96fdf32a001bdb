"""Write envs/*.yaml from requirements.lock, the only source of every environment.

An environment is the part of the lock that some groups of pyproject.toml need, according to the lock's "via"
comments. Snakemake copies an environment file before it creates the environment, so the file contains the
pins instead of a path.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"
ENVIRONMENTS = {
    "workflow": ["workflow"],
    "clip": ["workflow", "clip"],
}  # name -> groups in addition to the base dependencies
HEAD = """\
# Written by envs/render.py from requirements.lock (`make lock`); do not edit.
channels: [conda-forge, nodefaults]
dependencies:
  - python ={python}
  - pip
  - pip:
"""


def read_lock(text: str) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """Return the lock's pins by package (several where they depend on the platform), and who needs each."""
    pins: dict[str, list[str]] = {}
    needed_by: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)==[^\\]+", line):
            name = pin[1].lower()
            pins.setdefault(name, []).append(pin[0].strip())
        elif via := re.match(r"\s+#(?: via|  ) ([A-Za-z0-9._-]+)", line):
            needed_by.setdefault(name, set()).add(via[1].lower())
    return pins, needed_by


def closure(roots: set[str], needed_by: dict[str, set[str]]) -> set[str]:
    """Return ``roots`` and everything that they need, directly or not."""
    found = set(roots)
    while added := {name for name, users in needed_by.items() if users & found} - found:
        found |= added
    return found


def direct_dependencies(project: dict, groups: list[str]) -> set[str]:
    """Return the packages that pyproject.toml names for ``groups``."""
    listed = list(project["dependencies"])
    for group in groups:
        listed += project["optional-dependencies"][group]
    names = (requirement.partition("[")[0] for requirement in listed)
    return {name.lower().replace("_", "-") for name in names}


def render(environment: str) -> str:
    """Return the text of ``envs/<environment>.yaml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins, needed_by = read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    names = closure(direct_dependencies(project, ENVIRONMENTS[environment]), needed_by)
    lines = [f'      - "{pin}"' for name in sorted(names & set(pins)) for pin in pins[name]]
    return HEAD.format(python=PYTHON) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    for environment in ENVIRONMENTS:
        (ROOT / "envs" / f"{environment}.yaml").write_text(render(environment), encoding="utf-8")
