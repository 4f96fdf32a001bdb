"""The record of what made a result: digests of its settings, files and folders, and versions of packages."""

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from clipfair.core.io import sha256_of, sha256_of_folder, write_json
from clipfair.core.numerics import numerics_in_use, processor

SOURCE = Path(__file__).parents[2]

# The packages whose versions can change a number.
PACKAGES = (
    *("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "fairlearn"),
    *("torch", "torchvision", "open_clip_torch", "geomloss", "transformers", "pillow"),
)


def prepend_pythonpath() -> None:
    """Put this source folder first on PYTHONPATH, so that processes started from here import this code."""
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [folder for folder in known if folder not in ("", str(SOURCE))]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SOURCE), *others])


def settings_digest(settings: Mapping) -> str:
    """Return a digest of a nested mapping of plain values; the order of its keys does not matter."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def weights_digest(model: Mapping, weights: str | Path | None, seed: int) -> str:
    """Digest that identifies the weights of a model.

    Parameters
    ----------
    model
        The model's entry of the configuration.
    weights
        The file of the weights; None for random weights.
    seed
        The seed of random weights.

    Returns
    -------
    The sha256 of the file; for random weights the digest of what they are drawn from.
    """
    if weights is None:
        return settings_digest({"model": dict(model), "seed": seed})
    return sha256_of(weights)


def write_spec(
    path: str,
    *,
    made_by: str,
    code: str,
    settings: Mapping,
    inputs: Mapping[str, str],
    folders: Mapping[str, str] | None = None,
) -> None:
    """Write spec.json: everything that made the result in its folder, and nothing that did not.

    Parameters
    ----------
    made_by
        The rule.
    code
        The digest of its code (:func:`clipfair.core.code_digest.code_digest`).
    settings
        The settings of this run.
    inputs
        Name -> path of every input file; the spec holds their sha256.
    folders
        Name -> path of every folder that it describes; the spec holds their sha256. A rule that reads a
        folder takes this file as an input, since Snakemake compares folders by their time stamps alone.
    """
    spec = {
        "made_by": made_by,
        "code": code,
        "settings": dict(settings),
        "inputs": {name: {"path": str(file), "sha256": sha256_of(file)} for name, file in inputs.items()},
        "folders": {name: sha256_of_folder(folder) for name, folder in (folders or {}).items()},
        "environment": environment(),
    }
    write_json(path, spec)


def environment() -> dict:
    """Return the versions, the numerics and the processor that can change a number."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "numerics": numerics_in_use(),
        "processor": processor(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    """Return the version of a package; None if this job's environment does not have it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
