"""The methods of the FairCLIP reproduction: one set of switches, its values by variant.

The released code differs from the paper's mathematics, and the reproduction from both, in details that
decide the numbers. Each detail is a switch of its own; a line of ``methods`` names a variant and whatever
it has otherwise. docs/fairclip-methods.md tells where each detail is found and what it does. The workflow is
planned with this module, so that it does not import torch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.core.schema import unknown

NONE = "none"


@dataclass(frozen=True)
class Switches:
    """How a model is fine-tuned; the defaults are fine-tuning without a fairness loss, in full precision.

    Attributes
    ----------
    distance : what the fairness loss sums, an entry of :mod:`~.distances`; None for no such loss.
    score : of a pair, from the logits L of its batch: ``diag`` L_ii, or ``diag_square`` (L L)_ii.
    normalise : which side's scores are divided by their sum: ``none``, ``group``, ``both``.
    weights : attribute -> weight, sum 1; None for the attribute of the run's name alone.
    group_reduction : the distances of an attribute's groups: their ``sum`` or ``mean``.
    divide_by_attributes : divide the weighted sum by the number of attributes.
    overwritten : train on the contrastive loss alone, although the fairness loss is computed.
    nan_to_zero : count a distance that is not a number as 0.
    mismatched_pairs : the texts of a group's batch are those of other people (FairFace script).
    precision : ``fp32``, or ``fp16_roundtrip``: weights and scores rounded to 16 bits after each step.
    saved : ``fp32``, or ``fp16``: the model is evaluated with weights rounded to 16 bits.
    trained : ``towers`` (the image tower and the blocks of the text tower) or ``all``.
    logit_scale : ``frozen`` or ``trained``.
    mode : of the network while it trains, ``eval`` or ``train`` (batch norm of ResNets).
    generators : of shuffling, ``separate`` for batches and groups, or one ``shared`` by all, so that the
        fairness loss changes the batches.
    drop_last, drop_last_validation : leave out the last, smaller batch.
    selection : the epoch that is kept: best AUC on ``validation`` or ``test`` (ties: the later), or ``last``.
    selection_scores : ``cosine``, or ``dot``: embeddings are not normalised where epochs are compared.
    subsample : the part of the examples to train on; None for all.
    """

    distance: Mapping | None = None
    score: str = "diag"
    normalise: str = "none"
    weights: Mapping[str, float] | None = None
    group_reduction: str = "sum"
    divide_by_attributes: bool = False
    overwritten: bool = False
    nan_to_zero: bool = False
    mismatched_pairs: bool = False
    precision: str = "fp32"
    saved: str = "fp32"
    trained: str = "towers"
    logit_scale: str = "frozen"
    mode: str = "eval"
    generators: str = "separate"
    drop_last: bool = False
    drop_last_validation: bool = False
    selection: str = "validation"
    selection_scores: str = "cosine"
    subsample: Mapping | None = None


WORDS = {
    "score": ("diag", "diag_square"),
    "normalise": ("none", "group", "both"),
    "group_reduction": ("sum", "mean"),
    "precision": ("fp32", "fp16_roundtrip"),
    "saved": ("fp32", "fp16"),
    "trained": ("towers", "all"),
    "logit_scale": ("frozen", "trained"),
    "mode": ("eval", "train"),
    "generators": ("separate", "shared"),
    "selection": ("validation", "test", "last"),
    "selection_scores": ("cosine", "dot"),
}

_RELEASED_SINKHORN = {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.5, "diameter": None}
# By the library itself where scores are of the order of 1e4: its gradients in 32 bits are not those of its
# formula there, and what was trained was trained with them (docs/fairclip-methods.md).
_GEOMLOSS = {**_RELEASED_SINKHORN, "kind": "geomloss"}
_CLIP_FT = Switches()
_RELEASED = Switches(precision="fp16_roundtrip", generators="shared", selection="test")
_FAIRCLIP = Switches(distance=_RELEASED_SINKHORN, score="diag_square", normalise="both")
_ALIGNED = Switches(distance={**_RELEASED_SINKHORN, "scaling": 0.95}, trained="all", logit_scale="trained")
_MMD_RELEASED = replace(
    _ALIGNED, overwritten=True, nan_to_zero=True, drop_last=True, drop_last_validation=True
)

VARIANTS = {
    "clip-ft": _CLIP_FT,
    "clip-ft-released": _RELEASED,
    "fairclip-released": replace(_RELEASED, distance=_GEOMLOSS, score="diag_square", normalise="group"),
    "fairclip-corrected": _FAIRCLIP,
    "a-fairclip": _ALIGNED,
    "fairclip-plus": replace(_ALIGNED, weights={"race": 0.5, "gender": 0.5}),
    "fairclip-plus-early": replace(
        _FAIRCLIP,
        distance={**_GEOMLOSS, "scaling": 0.9, "diameter": 2},
        normalise="none",
        weights={"race": 0.5, "gender": 0.5},
        divide_by_attributes=True,
    ),
    "mmd-gaussian-released": replace(_MMD_RELEASED, distance={"kind": "gaussian", "bandwidth": 0.05}),
    "mmd-gaussian-corrected": replace(_ALIGNED, distance={"kind": "gaussian", "bandwidth": "median"}),
    "mmd-laplacian-released": replace(_MMD_RELEASED, distance={"kind": "laplacian", "bandwidth": 0.05}),
    "mmd-laplacian-corrected": replace(_ALIGNED, distance={"kind": "laplacian", "bandwidth": "median"}),
}


@dataclass(frozen=True)
class Fairness:
    """The fairness loss of one run: its weight λ >= 0, and the weight of each attribute, all positive."""

    lam: float
    weights: Mapping[str, float]


def read_switches(line: Mapping) -> Switches:
    """The switches of a line of ``methods``: those of its ``variant`` but for what it says itself.

    Raises
    ------
    UserError
        If the variant, a switch or a word is unknown; the distance is not looked at.
    """
    variant = line.get("variant")
    if variant not in VARIANTS:
        raise UserError(f"config.methods: {unknown('variant', str(variant), VARIANTS)}")
    own = {name: value for name, value in line.items() if name != "variant"}
    names = [field.name for field in fields(Switches)]
    for name, value in own.items():
        if name not in names:
            raise UserError(f"config.methods: variant {variant}: {unknown('switch', name, names)}")
        if value not in WORDS.get(name, (value,)):
            raise UserError(
                f"config.methods: variant {variant}: {name}: {unknown('value', str(value), WORDS[name])}"
            )
    return replace(VARIANTS[variant], **own)


def read_fairness(switches: Switches, run: Run, attributes: Sequence[str]) -> Fairness | None:
    """The fairness loss of a run, None for a method without; ``attributes`` are those that its recipe names.

    Raises
    ------
    UserError
        If λ is no number >= 0, the weights do not sum to 1, or the run's name says otherwise than its method.
    """
    if switches.distance is None:
        if (run.attr, run.lam) != (NONE, "0"):
            raise UserError(
                f"{run.key}: method {run.method!r} has no fairness loss; expected attr {NONE!r} and lam 0, "
                f"found {run.attr!r} and {run.lam}"
            )
        return None
    weights = {run.attr: 1.0} if switches.weights is None else dict(switches.weights)
    _check_weights(weights, run, attributes)
    used = {name: weight for name, weight in weights.items() if weight}
    if switches.weights is not None and run.attr != "-".join(used):
        raise UserError(
            f"{run.key}: method {run.method!r} weighs {', '.join(used)}; expected attr {'-'.join(used)!r}"
        )
    return Fairness(read_lam(run.lam), used)


def read_lam(text: str) -> float:
    """λ as a number.

    Raises
    ------
    UserError
        If it is none, not finite, or negative.
    """
    try:
        lam = float(text)
    except ValueError:
        lam = math.nan
    if not 0 <= lam < math.inf:
        raise UserError(f"config.training: lam is {text!r}; expected a number that is 0 or more")
    return lam


def _check_weights(weights: Mapping[str, float], run: Run, attributes: Sequence[str]) -> None:
    for name, weight in weights.items():
        if name not in attributes:
            raise UserError(f"{run.key}: {unknown('attribute', name, attributes)} (recipe: attributes)")
        if weight < 0:
            raise UserError(f"config.methods.{run.method}.weights.{name} is {weight}; expected 0 or more")
    total = sum(weights.values())
    if not math.isclose(total, 1, abs_tol=1e-9):
        raise UserError(f"config.methods.{run.method}.weights sum to {total:g}; expected 1")
