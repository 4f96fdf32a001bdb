"""The distances that evaluations and recipes name (docs/fairclip-protocol.md, section 4).

The plan replaces the names by the settings: jobs do not import this module, so a new name reruns nothing. It
does not import torch.
"""

from collections.abc import Iterable, Mapping

from clipfair.core.errors import UserError, unknown

# As the reproduction of FairCLIP evaluates. A diameter below the range of the scores starts the annealing too
# late, so the value is not converged; it is kept so that the published numbers can be recomputed.
AS_RELEASED = {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.95, "diameter": 2}
EXACT = {"kind": "wasserstein", "p": 2}
SCALE_FREE = {"kind": "wasserstein", "p": 2, "scale_free": True}
# With geomloss's default bandwidth, with which MMD was trained and evaluated.
LAPLACIAN = {"kind": "laplacian", "bandwidth": 0.05}
GAUSSIAN = {"kind": "gaussian", "bandwidth": 0.05}
# The distances that evaluations name, by their metric in metrics.json: of the paired scores, diag(L), and of
# the released scores, diag(L L).
EVALUATED = {
    "distance_sinkhorn": AS_RELEASED,
    "distance_wasserstein": EXACT,
    "distance_scale_free": SCALE_FREE,
    "distance_laplacian": LAPLACIAN,
    "distance_gaussian": GAUSSIAN,
    "distance_square_sinkhorn": AS_RELEASED,
    "distance_square_wasserstein": EXACT,
    "distance_square_scale_free": SCALE_FREE,
}
PREFIX = "distance_"


def named_distances(names: Iterable[str]) -> dict[str, Mapping]:
    """Metric -> settings of the distances with these names (:func:`named_distance`)."""
    return dict(map(named_distance, names))


def named_distance(name: str) -> tuple[str, Mapping]:
    """The metric's name in metrics.json and the settings of a distance that is evaluated by name.

    Parameters
    ----------
    name
        A key of :data:`EVALUATED`, with or without ``distance_``; or ``my_module:my_distance``, whose metric
        is ``distance_my_distance``.

    Raises
    ------
    UserError
        If there is no such distance.
    """
    if ":" in name:
        return f"{PREFIX}{name.rpartition(':')[2]}", {"kind": name}
    metric = f"{PREFIX}{name.removeprefix(PREFIX)}"
    if metric not in EVALUATED:
        known = [other.removeprefix(PREFIX) for other in EVALUATED]
        message = unknown("distance", name.removeprefix(PREFIX), known)
        raise UserError(f"{message}, or my_module:my_distance; check the configuration")
    return metric, EVALUATED[metric]
