"""Tables in MATLAB files: arrays of structures, as in the development kits of ImageNet and Stanford Cars."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from clipfair.core.errors import UserError


def read_structs(
    source: str | Path | IO[bytes], variable: str, fields: Sequence[str], *, path: str | Path
) -> pd.DataFrame:
    """Return the ``fields`` of the array of structures ``variable``, one row an element, numbered from 1.

    Parameters
    ----------
    path
        The name of the file in messages.

    Raises
    ------
    UserError
        If the file is missing or unreadable, or lacks the variable or a field.
    """
    array = read_array(source, variable, path=path)
    missing = set(fields) - set(array.dtype.names or ())
    if missing:
        raise UserError(
            f"{path}: {variable} has no field {', '.join(sorted(missing))}; fetch the dataset again"
        )
    rows = pd.RangeIndex(1, len(array) + 1)
    return pd.DataFrame({name: array[name].tolist() for name in fields}, index=rows)


def read_array(source: str | Path | IO[bytes], variable: str, *, path: str | Path) -> np.ndarray:
    """Return the one-dimensional array ``variable``; errors as in :func:`read_structs`."""
    try:
        content = loadmat(source, variable_names=[variable], squeeze_me=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except (MatReadError, ValueError, TypeError, OSError, EOFError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable MATLAB file ({reason}); fetch the dataset again") from None
    if variable not in content:
        raise UserError(f"{path}: no variable {variable!r}; fetch the dataset again")
    return np.atleast_1d(content[variable])
