"""Methods: what a model is trained for, and every switch of the FairCLIP reproduction.

The released code differs from the paper's mathematics, and the reproduction from both, in details that
decide the numbers. Each detail is a switch; a variant is a published method's values of all switches
(docs/fairclip-methods.md has the source of each).
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
    """What every distance has."""

    scale_free: bool = False
    """Divide the scores by the standard deviation of everybody's first."""


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
    """median: of the distances between two scores."""


class EnergyDistance(ScaledDistance):
    """Half the squared MMD of the kernel -abs(x - y)."""

    kind: Literal["energy"]


class OwnDistance(ScaledDistance):
    """A distance of your own, with the arguments that it takes (docs/extending.md)."""

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
    """How a model is fine-tuned; the defaults are fine-tuning without a fairness loss, in full precision."""

    distance: Distance | None = None
    """What the fairness loss sums over the groups; null: no fairness loss."""
    score: Literal["diag", "diag_square", "margin"] = "diag"
    """Of a pair, from the logits L of its batch: L_ii, or (L L)_ii as released. margin: of an image, the
    logit of the prompt of label 1 minus that of label 0, which decides the prediction."""
    conditional: Literal["none", "label"] = "none"
    """label: the mean over both labels of the distances between scores of examples with that label."""
    groups: Literal["true", "shuffled"] = "true"
    """shuffled: a placebo; the groups of the training examples are permuted once, by the seed of the run."""
    normalise: Literal["none", "group", "batch", "both", "standard"] = "none"
    """Whose scores are divided by their sum; standard: both sides minus their mean, over their deviation."""
    weights: Annotated[dict[str, Number], AfterValidator(_check_weights)] | None = None
    """Attribute: weight, sum 1; the run's attr is their names joined by a hyphen. null: the attr alone."""
    group_reduction: Literal["sum", "mean"] = "sum"
    """The distances of an attribute's groups: their sum or their mean."""
    divide_by_attributes: bool = False
    """Divide the weighted sum by the number of attributes."""
    overwritten: bool = False
    """Compute the fairness loss, but train on the contrastive loss alone (released MMD)."""
    nan_to_zero: bool = False
    """Count a distance that is not a number as 0."""
    mismatched_pairs: bool = False
    """The texts of a group's batch are those of other people (FairFace script)."""
    precision: Literal["fp32", "fp16_roundtrip"] = "fp32"
    """fp16_roundtrip: weights and scores are rounded to 16 bits after each step, as released."""
    saved: Literal["fp32", "fp16"] = "fp32"
    """fp16: the kept weights are rounded to 16 bits."""
    trained: Literal["towers", "all"] = "towers"
    """What the optimiser changes: the image tower and the blocks of the text tower, or everything."""
    logit_scale: Literal["frozen", "trained"] = "frozen"
    """The temperature."""
    mode: Literal["eval", "train"] = "eval"
    """Of batch norm while training."""
    generators: Literal["separate", "shared"] = "separate"
    """shared: one generator shuffles batches and groups, so that the fairness loss changes the batches."""
    accumulation: Literal["sum", "last"] = "sum"
    """The gradient of a step of several batches (accumulate of the recipe): their mean loss's, or that of the
    last batch over their number (FairCLIP+ script, which clears the gradients in every batch)."""
    drop_last: bool = False
    """Leave out the last, smaller batch."""
    drop_last_groups: bool = False
    """The same of each group's batches."""
    drop_last_validation: bool = False
    """The same where epochs are compared."""
    selection: Literal["validation", "test", "last"] = "validation"
    """The epoch that is kept: of the best AUC on a split (ties: the later), or the last."""
    selection_scores: Literal["cosine", "dot"] = "cosine"
    """dot: embeddings are not normalised where epochs are compared."""
    example_weights: word_or_own("none", *module_names("train/example_weights")) = "none"
    """Factors of the examples' contrastive losses, by group of the run's attr and label. Or your own,
    `module:function`."""
    sampler: Literal["shuffled", "group-balanced"] = "shuffled"
    """group-balanced: each pass has every cell of attr and label equally often; its length stays."""
    dro_step: Positive | None = None
    """Group-DRO over the cells of attr and label: the step size of their weights; null: no group-DRO."""

    @property
    def uses_cells(self) -> bool:
        """A switch is set that takes the cells of the run's attribute and the label."""
        controls = (self.example_weights, self.sampler, self.dro_step)
        return controls != ("none", "shuffled", None)


_RELEASED_SINKHORN = {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.5, "diameter": None}
# By the library itself where scores are of the order of 1e4: its gradients in 32 bits are not those of its
# formula there, and what was trained was trained with them (docs/fairclip-methods.md).
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

# The published methods: what differs from the defaults of Switches.
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
    """softmax: CLIP's; sigmoid: SigLIP's; over the batch of all processes. Or your own, `module:function`."""
    temperature: Positive | None
    """The factor of the cosines at the start; null: the model's own."""
    bias: Number | None = None
    """Of the logits at the start; sigmoid needs one."""


class FinetuneMethod(CatalogueEntry, Switches):
    """Fine-tuning of the FairCLIP reproduction: a published variant, and the switches that differ from it."""

    kind: Literal["finetune"]
    variant: Literal[tuple(VARIANTS)]
    """The published method whose switches these are, where none is given (docs/fairclip-methods.md)."""
    baseline: str | None = Field(default=None, exclude=True)
    """Id of the method that tables compare it with: the same training without what it does about groups. An
    entry does not take it over by `like`."""

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
        """All switches: the entry's own, else its variant's."""
        own = {name: getattr(self, name) for name in self.model_fields_set & Switches.model_fields.keys()}
        return VARIANTS[self.variant].model_copy(update=own)

    def job_settings(self) -> dict:
        """The switches, as plain values."""
        return self.switches.model_dump()


class Blip2Method(CatalogueEntry):
    """The first stage of BLIP2, trained on."""

    kind: Literal["blip2"]


class ZeroShotMethod(CatalogueEntry):
    """The model as it is."""

    kind: Literal["zero_shot"]


Method = Annotated[
    PretrainMethod | FinetuneMethod | Blip2Method | ZeroShotMethod, Field(discriminator="kind")
]
