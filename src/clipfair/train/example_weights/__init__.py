"""Weights of training examples by group and label: one module each, with a function ``weights``.

The modules are imported by name: the code digest of a training contains the module of its own weights only.
"""

from collections.abc import Callable

import numpy as np

from clipfair.core.errors import UserError, unknown
from clipfair.core.functions import load_function, module_names

# weights(groups, labels): for n examples the number of their group, 0 to G - 1, and their label, 0 or 1.
# Every group has examples of both labels. Returns (n,) weights >= 0 with a mean of 1.
Weights = Callable[[np.ndarray, np.ndarray], np.ndarray]


def find_weights(name: str) -> Weights:
    """Return the weights of a method: those of a module of this package, or ``module:function``.

    Raises
    ------
    UserError
        If there are no such weights.
    """
    where = "methods.yaml: example_weights"
    if ":" in name:
        return load_function(name, where=where)
    known = module_names("train/example_weights")
    if name not in known:
        raise UserError(f"{where}: {unknown('weights', name, known)}, or module:function of your own")
    return load_function(f"{__name__}.{name}:weights", where=where)
