"""Distances between the scores of all examples and the scores of each group, for the loss and for evaluation.

A distance is an entry of the configuration with all of its arguments, e.g. ``{kind: wasserstein, p: 2}``:

| kind | arguments | value, for uniform weights |
|---|---|---|
| sinkhorn | p, blur, scaling, diameter | geomloss's debiased divergence, cost abs(x - y)^p / p |
| geomloss | p, blur, scaling, diameter | the same, computed by geomloss (tensorized), group by group |
| wasserstein | p | W_p^p / p, exact, by sorting: the limit of sinkhorn |
| gaussian | bandwidth s | half the squared MMD with the kernel exp(-(x - y)^2 / 2 s^2) |
| laplacian | bandwidth s | half the squared MMD with the kernel exp(-abs(x - y) / s) |
| energy | | half the squared MMD with the kernel -abs(x - y) |
| my_module:my_distance | those of the function | a function of your own, see below |

The factors are geomloss's, so that one kind can replace another. Scores have one dimension and a unit:
sinkhorn and wasserstein have the unit of the score to the power p, energy has that of the score. With
``scale_free: true`` scores are first divided by the standard deviation (ddof 0) of all scores, so the
distance does not shrink when the scores do; ``wasserstein`` with p = 2 is then divided by the variance.

Each kind is the function ``distance`` of a module of this package. It is imported by name: the code digest of
a job contains the modules of its own distances only, so a new module here reruns nothing.

A distance of your own is a function of any module that can be imported, or of a file below ``src/clipfair``::

    def my_distance(population, groups, *, power=1):
        return torch.stack([(population.mean() - group.mean()).abs() ** power for group in groups])

``population`` is the (n,) tensor of all scores, ``groups`` a list of G >= 1 tensors (m_g,), none empty, on
one device and of one dtype. It returns a (G,) tensor, differentiable with respect to both. Its keyword
arguments are set in the entry: ``{kind: my_module:my_distance, power: 2}``.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from clipfair.core.errors import UserError, unknown
from clipfair.core.functions import load_function, module_names

Distance = Callable[..., Tensor]


def group_distances(settings: Mapping, population: Tensor, groups: Sequence[Tensor]) -> Tensor:
    """The distance of each group's scores to the scores of all examples, all groups at once.

    Differentiable in both; on the device and in the precision of ``population``.

    Parameters
    ----------
    settings
        The entry of the configuration: ``kind``, its arguments, ``scale_free``.
    population
        (n,) scores, n > 0.
    groups
        (m_g,) scores of each group, of any sizes.

    Returns
    -------
    (G,); NaN for an empty group, and where no scale exists because all scores, or their median distance,
    are equal to zero.

    Raises
    ------
    UserError
        If ``settings`` is not a distance, or a distance of your own returns another shape.
    """
    function, arguments = _read(settings)
    if settings.get("scale_free", False):
        scale = population.std(correction=0)
        population, groups = population / scale, [group / scale for group in groups]
    values = population.new_full((len(groups),), torch.nan)
    present = [place for place, group in enumerate(groups) if len(group)]
    if present:
        found = function(population, [groups[place] for place in present], **arguments)
        if found.shape != (len(present),):
            raise UserError(
                f"distance {settings['kind']}: returned a tensor of shape {tuple(found.shape)}; "
                f"expected one value for each of {len(present)} groups, ({len(present)},)"
            )
        values = values.index_put((torch.tensor(present).to(values.device, non_blocking=True),), found)
    return values


def check_distance(settings: Mapping, *, where: str) -> None:
    """Check that an entry of the configuration is a distance.

    Raises
    ------
    UserError
        If it is not; the message begins with ``where``.
    """
    try:
        _read(settings)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def find_distance(kind: object) -> Distance:
    """The function of a kind: that of a module of this package, or ``my_module:my_distance``.

    Raises
    ------
    UserError
        If the kind is unknown, or the module or its function cannot be imported.
    """
    if ":" in str(kind):
        return load_function(kind, where="distance")
    known = module_names("metrics/distances")
    if kind not in known:
        raise UserError(f"{unknown('distance', str(kind), known)}, or my_module:my_distance")
    return load_function(f"{__name__}.{kind}:distance", where="distance")


def _read(settings: Mapping) -> tuple[Distance, dict]:
    """The function of an entry and its arguments."""
    function = find_distance(settings.get("kind"))
    arguments = {name: value for name, value in settings.items() if name not in ("kind", "scale_free")}
    keywords = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    known = {parameter.name for parameter in keywords}
    needed = {parameter.name for parameter in keywords if parameter.default is parameter.empty}
    if not needed <= set(arguments) <= known:
        expected = ", ".join(parameter.name for parameter in keywords) or "none"
        found = ", ".join(arguments) or "none"
        raise UserError(f"distance {settings['kind']}: arguments {found}; expected: {expected}")
    return function, arguments
