"""The variants against the papers' code."""

from pathlib import Path

import pytest

from clipfair.core.functions import module_names
from clipfair.plan.configuration.methods import DISTANCES, VARIANTS, FinetuneMethod, Switches

PAGE = (Path(__file__).parents[3] / "docs/fairclip-methods.md").read_text(encoding="utf-8")

# Fine-tuning without a fairness loss, in full precision: every switch.
PLAIN = {
    "distance": None,
    "score": "diag",
    "conditional": "none",
    "groups": "true",
    "normalise": "none",
    "weights": None,
    "group_reduction": "sum",
    "divide_by_attributes": False,
    "overwritten": False,
    "nan_to_zero": False,
    "mismatched_pairs": False,
    "precision": "fp32",
    "saved": "fp32",
    "trained": "towers",
    "logit_scale": "frozen",
    "mode": "eval",
    "generators": "separate",
    "accumulation": "sum",
    "drop_last": False,
    "drop_last_groups": False,
    "drop_last_validation": False,
    "selection": "validation",
    "selection_scores": "cosine",
    "example_weights": "none",
    "sampler": "shuffled",
    "dro_step": None,
}
# Sections 1, 2 and 6 of docs/fairclip-protocol.md.
RELEASED = {"precision": "fp16_roundtrip", "generators": "shared", "selection": "test"}
ALL = {"trained": "all", "logit_scale": "trained"}
OVERWRITTEN = {"overwritten": True, "nan_to_zero": True, "drop_last": True, "drop_last_validation": True}
PROTOCOL = {
    "clip-ft": {},
    "clip-ft-released": RELEASED,
    "fairclip-released": {
        **RELEASED,
        "distance": {"kind": "geomloss", "p": 2, "blur": 0.0001, "scaling": 0.5, "diameter": None},
        "score": "diag_square",
        "normalise": "group",
    },
    "fairclip-corrected": {
        "distance": {"kind": "sinkhorn", "p": 2, "blur": 0.0001, "scaling": 0.5, "diameter": None},
        "score": "diag_square",
        "normalise": "both",
    },
    "a-fairclip": {
        **ALL,
        "distance": {"kind": "sinkhorn", "p": 2, "blur": 0.0001, "scaling": 0.95, "diameter": None},
    },
    "fairclip-plus": {
        **ALL,
        "distance": {"kind": "sinkhorn", "p": 2, "blur": 0.0001, "scaling": 0.95, "diameter": None},
        "weights": {"race": 0.5, "gender": 0.5},
    },
    "fairclip-plus-early": {
        "distance": {"kind": "geomloss", "p": 2, "blur": 0.0001, "scaling": 0.5, "diameter": None},
        "score": "diag_square",
        "normalise": "group",
        "weights": {"race": 0.5, "gender": 0.5},
        "divide_by_attributes": True,
    },
    "fairclip-plus-raw": {
        "distance": {"kind": "geomloss", "p": 2, "blur": 0.0001, "scaling": 0.9, "diameter": 2},
        "score": "diag_square",
        "weights": {"race": 0.5, "gender": 0.5},
        "divide_by_attributes": True,
    },
    "mmd-gaussian-released": {**ALL, **OVERWRITTEN, "distance": {"kind": "gaussian", "bandwidth": 0.05}},
    "mmd-gaussian-corrected": {**ALL, "distance": {"kind": "gaussian", "bandwidth": "median"}},
    "mmd-laplacian-released": {**ALL, **OVERWRITTEN, "distance": {"kind": "laplacian", "bandwidth": 0.05}},
    "mmd-laplacian-corrected": {**ALL, "distance": {"kind": "laplacian", "bandwidth": "median"}},
}


def test_variants_are_those_of_the_protocol():
    found = {variant: switches.model_dump() for variant, switches in VARIANTS.items()}
    assert found == {variant: {**PLAIN, **own} for variant, own in PROTOCOL.items()}


def test_released_differ_from_corrected_in_what_was_corrected():
    def differing(one, other):
        one, other = VARIANTS[one].model_dump(), VARIANTS[other].model_dump()
        return {name for name in one if one[name] != other[name]}

    released = {"distance", "normalise", "precision", "selection", "generators"}
    assert differing("fairclip-released", "fairclip-corrected") == released
    overwritten = {"distance", "overwritten", "nan_to_zero", "drop_last", "drop_last_validation"}
    assert differing("mmd-gaussian-released", "mmd-gaussian-corrected") == overwritten
    assert differing("a-fairclip", "fairclip-plus") == {"weights"}
    assert differing("clip-ft", "fairclip-corrected") == {"distance", "score", "normalise"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_method_changes_one_switch_of_its_variant(variant):
    method = FinetuneMethod(kind="finetune", variant=variant, selection="last", name="Mine")
    assert method.job_settings() == {**VARIANTS[variant].model_dump(), "selection": "last"}


def test_a_default_that_a_method_names_replaces_its_variants_value():
    method = FinetuneMethod(kind="finetune", variant="fairclip-released", normalise="none", distance=None)
    assert (method.switches.normalise, method.switches.distance) == ("none", None)


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"variant": "fairclip-released", "conditional": "label"}, "set normalise: none"),
        ({"variant": "clip-ft", "groups": "shuffled"}, "set distance"),
        ({"variant": "clip-ft", "score": "margin"}, "set distance"),
        ({"variant": "fairclip-plus", "sampler": "group-balanced"}, "one attribute; set weights: null"),
        ({"variant": "clip-ft", "dro_step": 0.1, "example_weights": "m4"}, "set example_weights: none"),
        ({"variant": "clip-ft", "example_weights": "m5"}, "unknown value 'm5'"),
    ],
)
def test_switches_without_an_effect_are_refused(switches, message):
    with pytest.raises(ValueError, match=message):
        FinetuneMethod(kind="finetune", **switches)


def test_a_control_has_a_placebo_without_a_distance():
    method = FinetuneMethod(kind="finetune", variant="clip-ft", sampler="group-balanced", groups="shuffled")
    assert method.switches.uses_cells


def test_the_page_has_every_switch_and_variant():
    for name in [*VARIANTS, *Switches.model_fields]:
        assert f"`{name}`" in PAGE


def test_the_model_knows_the_distances_that_can_be_measured():
    assert set(DISTANCES) == set(module_names("metrics/distances"))
