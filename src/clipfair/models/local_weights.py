"""Check of a local file of weights: it exists and is the one that the configuration describes. Without
torch."""

from collections.abc import Mapping
from pathlib import Path

from clipfair.core.errors import UserError
from clipfair.core.io import sha256_of


def check_local_weights(model: str, weights: Mapping[str, str]) -> Path:
    """Return the path of the local weights (``file``, ``sha256``) of a model.

    Raises
    ------
    UserError
        If the file is not there, or has another sha256.
    """
    where, path = f"models.{model}.weights", Path(weights["file"])
    if not path.is_file():
        raise UserError(f"{where}: {path}: no such file; correct its path")
    found = sha256_of(path)
    if found != weights["sha256"]:
        raise UserError(
            f"{where}: {path}: sha256 is {found}, expected {weights['sha256']}; "
            "another version of the file: replace it, or correct sha256"
        )
    return path
