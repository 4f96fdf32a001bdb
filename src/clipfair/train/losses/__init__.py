"""Contrastive losses over the global batch: one module each, with a function ``loss``, found by its name.

A loss gets the features of this process and of all processes. Its mean over the processes is the loss of the
global batch, so the gradients that DDP averages are those of one process with the whole batch.

The modules are imported by name: the code digest of a training contains the module of its own loss only, so a
new module here reruns nothing.
"""

from collections.abc import Callable

from torch import Tensor

from clipfair.core.errors import UserError, unknown
from clipfair.core.functions import load_function, module_names

# loss(images, texts, all_images, all_texts, scale, bias, first): features of unit length, (n, r) of this
# process and (N, r) of all; scale, the factor of the cosines, exp(logit_scale); bias, added to the logits, or
# None; first, the row of this process's first example among all.
Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None, int], Tensor]


def find_loss(name: str) -> Loss:
    """Return the loss of a method: that of a module of this package, or ``module:function``.

    Raises
    ------
    UserError
        If there is no such loss.
    """
    if ":" in name:
        return load_function(name, where="methods.yaml: loss")
    known = module_names("train/losses")
    if name not in known:
        raise UserError(f"methods.yaml: {unknown('loss', name, known)}, or module:function of your own")
    return load_function(f"{__name__}.{name}:loss", where="methods.yaml: loss")
