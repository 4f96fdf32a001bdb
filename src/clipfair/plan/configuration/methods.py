"""Methods: training objectives, and all switches of the FairCLIP reproduction.

The released code differs from the paper's mathematics, and the reproduction from both, in details that
change the results. Each detail is a switch; a variant holds the values of all switches for a published method
(docs/fairclip-methods.md gives the source of each).
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from clipfair.core.errors import unknown
from clipfair.core.functions import module_names
from clipfair.core.settings import SettingsModel
from clipfair.plan.configuration.types import (
    PLAIN,
    CatalogueEntry,
    Number,
    Positive,
    is_own,
    word_or_own,
)


class ScaledDistance(SettingsModel):
    """Settings shared by all distances."""

    scale_free: bool = False
    """Divide the scores by the standard deviation of the scores of all examples first."""


class SinkhornDistance(ScaledDistance):
    """The debiased Sinkhorn divergence: our implementation, or geomloss's."""

    kind: Literal["sinkhorn", "geomloss"]
    p: Literal[1, 2]
    """Cost abs(x - y)^p / p."""
    blur: Positive
    """The finest scale of the regularisation."""
    scaling: Annotated[Number, Field(gt=0, lt=1)]
    """Ratio of successive scales."""
    diameter: Positive | None
    """The coarsest scale; null: the range of the scores."""


class WassersteinDistance(ScaledDistance):
    """W_p^p / p, exact."""

    kind: Literal["wasserstein"]
    p: Literal[1, 2]


class KernelDistance(ScaledDistance):
    """Half the squared MMD of a kernel."""

    kind: Literal["gaussian", "laplacian"]
    bandwidth: Positive | Literal["median"]
    """median: the median distance between two scores."""


class EnergyDistance(ScaledDistance):
    """Half the squared MMD of the kernel -abs(x - y)."""

    kind: Literal["energy"]


class OwnDistance(ScaledDistance):
    """A user-defined distance, with its arguments (docs/extending.md)."""

    model_config = {"extra": "allow"}

    kind: Annotated[str, Field(pattern=":")]
    """`module:function`."""


DISTANCES = {
    "sinkhorn": "sinkhorn",
    "geomloss": "sinkhorn",
    "wasserstein": "wasserstein",
    "gaussian": "kernel",
    "laplacian": "kernel",
    "energy": "energy",
}


def _check_kind(value: Any) -> Any:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind is not None and not is_own(kind) and str(kind) not in DISTANCES:
        raise ValueError(f"{unknown('kind', str(kind), DISTANCES)}; or module:function, your own")
    return value


def _kind_of(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else None
    return "own" if is_own(kind) else DISTANCES.get(kind)


Distance = Annotated[
    Annotated[SinkhornDistance, Tag("sinkhorn")]
    | Annotated[WassersteinDistance, Tag("wasserstein")]
    | Annotated[KernelDistance, Tag("kernel")]
    | Annotated[EnergyDistance, Tag("energy")]
    | Annotated[OwnDistance, Tag("own")],
    Discriminator(_kind_of, custom_error_type="no_kind", custom_error_message="missing setting 'kind'"),
    BeforeValidator(_check_kind),
    *PLAIN,
]


def _check_weights(weights: dict[str, float]) -> dict[str, float]:
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"the weight of {name} is {weight:g}; expected 0 or more")
    total = sum(weights.values())
    if not math.isclose(total, 1, abs_tol=1e-9):
        raise ValueError(f"the weights sum to {total:g}; expected 1")
    return weights


class Switches(SettingsModel):
    """Switches of fine-tuning; the defaults are fine-tuning without a fairness loss, in full precision."""

    distance: Distance | None = None
    """Distance that the fairness loss sums over the groups; null: no fairness loss."""
    score: Literal["diag", "diag_square", "margin"] = "diag"
    """Score compared between groups. diag and diag_square: the score of a pair from the logits L of its
    batch, L_ii, or (L L)_ii as released. margin: the score of an image, the logit of the prompt of label 1
    minus that of label 0, which decides the prediction."""
    conditional: Literal["none", "label"] = "none"
    """label: compute the distance among the examples with each label, and average over both labels."""
    groups: Literal["true", "shuffled"] = "true"
    """shuffled: a placebo; the groups of the training examples are permuted once, with the seed of the
    run."""
    normalise: Literal["none", "group", "batch", "both", "standard"] = "none"
    """Which scores are divided by their sum (of the group, of the batch, or both); standard: both are centred
    and divided by their standard deviation."""
    weights: Annotated[dict[str, Number], AfterValidator(_check_weights)] | None = None
    """Attribute -> weight, sum 1; the run's attr is their names joined by a hyphen. null: the attr alone."""
    group_reduction: Literal["sum", "mean"] = "sum"
    """Sum or mean of the distances over the groups of an attribute."""
    divide_by_attributes: bool = False
    """Divide the weighted sum by the number of attributes."""
    overwritten: bool = False
    """Compute the fairness loss, but train on the contrastive loss alone (released MMD)."""
    nan_to_zero: bool = False
    """Replace a distance that is NaN by 0."""
    mismatched_pairs: bool = False
    """Pair the images of a group's batch with the texts of other people (FairFace script)."""
    precision: Literal["fp32", "fp16_roundtrip"] = "fp32"
    """fp16_roundtrip: round weights and scores to 16 bits after each step, as released."""
    saved: Literal["fp32", "fp16"] = "fp32"
    """fp16: round the saved weights to 16 bits."""
    trained: Literal["towers", "all"] = "towers"
    """Trained parameters: the image tower and the blocks of the text tower, or all parameters."""
    logit_scale: Literal["frozen", "trained"] = "frozen"
    """Whether the temperature is trained."""
    mode: Literal["eval", "train"] = "eval"
    """Batch-norm mode in training."""
    generators: Literal["separate", "shared"] = "separate"
    """shared: one random generator shuffles batches and groups, so that the fairness loss changes the
    batches."""
    accumulation: Literal["sum", "last"] = "sum"
    """Gradient of a step with several batches (`accumulate` of the recipe). sum: the gradient of their mean
    loss; last: the gradient of the last batch divided by their number (FairCLIP+ script, which clears the
    gradients in every batch)."""
    drop_last: bool = False
    """Drop the last, smaller batch."""
    drop_last_groups: bool = False
    """Drop the last, smaller batch of each group."""
    drop_last_validation: bool = False
    """Drop the last, smaller batch when the epoch is selected."""
    selection: Literal["validation", "test", "last"] = "validation"
    """Selected epoch: the one with the best AUC on a split (ties: the later one), or the last."""
    selection_scores: Literal["cosine", "dot"] = "cosine"
    """dot: do not normalise the embeddings when the epoch is selected."""
    example_weights: word_or_own("none", *module_names("train/example_weights")) = "none"
    """Weights of the examples' contrastive losses, by group of the run's attr and by label. Or a user-defined
    function, `module:function`."""
    sampler: Literal["shuffled", "group-balanced"] = "shuffled"
    """group-balanced: every cell of attr and label occurs equally often in an epoch of unchanged length."""
    dro_step: Positive | None = None
    """Step size of the weights of group-DRO over the cells of attr and label; null: no group-DRO."""

    @property
    def uses_cells(self) -> bool:
        """Whether a switch is set that uses the cells of the run's attribute and the label."""
        controls = (self.example_weights, self.sampler, self.dro_step)
        return controls != ("none", "shuffled", None)


_RELEASED_SINKHORN = {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.5, "diameter": None}
# Computed by the library itself where scores are of the order of 1e4: there its 32-bit gradients differ from
# those of its formula, and the published models were trained with them (docs/fairclip-methods.md).
_GEOMLOSS = {**_RELEASED_SINKHORN, "kind": "geomloss"}
_RELEASED = {"precision": "fp16_roundtrip", "generators": "shared", "selection": "test"}
_FAIRCLIP = {"distance": _RELEASED_SINKHORN, "score": "diag_square", "normalise": "both"}
_ALIGNED = {
    "distance": {**_RELEASED_SINKHORN, "scaling": 0.95},
    "trained": "all",
    "logit_scale": "trained",
}
_MMD_RELEASED = {
    **_ALIGNED,
    "overwritten": True,
    "nan_to_zero": True,
    "drop_last": True,
    "drop_last_validation": True,
}
_RACE_AND_GENDER = {"race": 0.5, "gender": 0.5}
# FairCLIP+ until 20 January 2025: the script that the published row comes from.
_PLUS_EARLY = {
    "distance": _GEOMLOSS,
    "score": "diag_square",
    "normalise": "group",
    "weights": _RACE_AND_GENDER,
    "divide_by_attributes": True,
}
# From 22 January 2025 on, and in the FairFace script.
_PLUS_RAW = {
    **_PLUS_EARLY,
    "distance": {**_GEOMLOSS, "scaling": 0.9, "diameter": 2},
    "normalise": "none",
}

# The published methods, as overrides of the defaults of Switches.
_VARIANTS = {
    "clip-ft": {},
    "clip-ft-released": _RELEASED,
    "fairclip-released": {**_RELEASED, "distance": _GEOMLOSS, "score": "diag_square", "normalise": "group"},
    "fairclip-corrected": _FAIRCLIP,
    "a-fairclip": _ALIGNED,
    "fairclip-plus": {**_ALIGNED, "weights": _RACE_AND_GENDER},
    "fairclip-plus-early": _PLUS_EARLY,
    "fairclip-plus-raw": _PLUS_RAW,
    "mmd-gaussian-released": {**_MMD_RELEASED, "distance": {"kind": "gaussian", "bandwidth": 0.05}},
    "mmd-gaussian-corrected": {**_ALIGNED, "distance": {"kind": "gaussian", "bandwidth": "median"}},
    "mmd-laplacian-released": {**_MMD_RELEASED, "distance": {"kind": "laplacian", "bandwidth": 0.05}},
    "mmd-laplacian-corrected": {**_ALIGNED, "distance": {"kind": "laplacian", "bandwidth": "median"}},
}
VARIANTS = {name: Switches(**values) for name, values in _VARIANTS.items()}


class PretrainMethod(CatalogueEntry):
    """A contrastive loss on pairs."""

    kind: Literal["pretrain"]
    loss: word_or_own(*module_names("train/losses"))
    """softmax: CLIP's loss; sigmoid: SigLIP's; over the batch of all processes. Or a user-defined loss,
    `module:function`."""
    temperature: Positive | None
    """Initial factor of the cosines; null: that of the model."""
    bias: Number | None = None
    """Initial logit bias; required by sigmoid."""


class FinetuneMethod(CatalogueEntry, Switches):
    """Fine-tuning of the FairCLIP reproduction: a published variant and overrides of its switches."""

    kind: Literal["finetune"]
    variant: Literal[tuple(VARIANTS)]
    """The published method that supplies the switches not given here (docs/fairclip-methods.md)."""
    baseline: str | None = Field(default=None, exclude=True)
    """Id of the method that tables compare it with, the same training without the fairness loss or control.
    It is not copied by `like`."""

    @model_validator(mode="after")
    def _switches_of_the_loss_have_an_effect(self) -> Self:
        switches = self.switches
        if switches.conditional == "label" and switches.normalise != "none":
            raise ValueError("conditional: label compares scores as they are; set normalise: none")
        is_placebo = switches.groups != "true" and not switches.uses_cells
        changed = switches.conditional != "none" or switches.score == "margin" or is_placebo
        if changed and switches.distance is None:
            raise ValueError("conditional, groups and score: margin change a fairness loss; set distance")
        return self

    @model_validator(mode="after")
    def _cells_are_of_one_attribute_and_weighed_once(self) -> Self:
        switches = self.switches
        if switches.uses_cells and switches.weights is not None:
            raise ValueError("example_weights, sampler and dro_step take one attribute; set weights: null")
        if switches.dro_step is not None and switches.example_weights != "none":
            raise ValueError("dro_step weighs the examples itself; set example_weights: none")
        return self

    @property
    def switches(self) -> Switches:
        """All switches: those of the entry, otherwise those of its variant."""
        own = {name: getattr(self, name) for name in self.model_fields_set & Switches.model_fields.keys()}
        return VARIANTS[self.variant].model_copy(update=own)

    def job_settings(self) -> dict:
        """The switches, as plain values."""
        return self.switches.model_dump()


class Blip2Method(CatalogueEntry):
    """Continued training of the first stage of BLIP2."""

    kind: Literal["blip2"]


class ZeroShotMethod(CatalogueEntry):
    """The model without further training."""

    kind: Literal["zero_shot"]


Method = Annotated[
    PretrainMethod | FinetuneMethod | Blip2Method | ZeroShotMethod, Field(discriminator="kind")
]
