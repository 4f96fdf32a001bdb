"""The variants against the papers' code, and what is refused of methods, attributes and λ."""

import inspect
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml

from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.metrics.distances import KINDS
from clipfair.plan.fairclip_switches import VARIANTS, WORDS, Switches, read_fairness, read_lam, read_switches

ROOT = Path(__file__).parents[3]
ATTRIBUTES = ["race", "gender", "ethnicity", "language"]
PAGE = (ROOT / "docs/fairclip-methods.md").read_text(encoding="utf-8")

# Fine-tuning without a fairness loss, in full precision: every switch.
PLAIN = {
    "distance": None,
    "score": "diag",
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
    "drop_last": False,
    "drop_last_validation": False,
    "selection": "validation",
    "selection_scores": "cosine",
    "subsample": None,
}
# What sections 1, 2 and 6 of the protocol say of the others; of those that are corrected, what was.
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
    found = {variant: asdict(switches) for variant, switches in VARIANTS.items()}
    assert found == {variant: {**PLAIN, **own} for variant, own in PROTOCOL.items()}


def test_released_differ_from_corrected_in_what_was_corrected():
    def differing(one, other):
        one, other = asdict(VARIANTS[one]), asdict(VARIANTS[other])
        return {name for name in one if one[name] != other[name]}

    released = {"distance", "normalise", "precision", "selection", "generators"}
    assert differing("fairclip-released", "fairclip-corrected") == released
    overwritten = {"distance", "overwritten", "nan_to_zero", "drop_last", "drop_last_validation"}
    assert differing("mmd-gaussian-released", "mmd-gaussian-corrected") == overwritten
    assert differing("a-fairclip", "fairclip-plus") == {"weights"}
    assert differing("clip-ft", "fairclip-corrected") == {"distance", "score", "normalise"}


def test_a_line_changes_one_switch_of_its_variant():
    line = {"variant": "fairclip-released", "selection": "validation"}
    found, base = asdict(read_switches(line)), asdict(VARIANTS["fairclip-released"])
    assert found == {**base, "selection": "validation"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_read(variant):
    assert read_switches({"variant": variant}) == VARIANTS[variant]


def test_the_page_tells_every_switch_word_and_variant():
    for name in [*VARIANTS, *(field.name for field in fields(Switches))]:
        assert f"`{name}`" in PAGE
    for words in WORDS.values():
        assert all(f"`{word}`" in PAGE for word in words)


def test_the_schema_of_the_registry_has_the_same_switches_words_and_distances():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    line = schema["$defs"]["finetune"]["properties"]
    assert set(line) - {"kind", "variant"} == {field.name for field in fields(Switches)}
    assert line["variant"]["enum"] == list(VARIANTS)
    for name, words in WORDS.items():
        assert tuple(line[name]["enum"]) == words
    known = {}
    for form in schema["$defs"]["distance"]["oneOf"]:
        kind = form["properties"]["kind"]
        for name in kind.get("enum", [kind.get("const")]):
            known[name] = tuple(form["required"][1:])
    arguments = {name: set(inspect.signature(function).parameters) for name, function in KINDS.items()}
    positional = {"population", "groups"}
    assert {name: set(needed) for name, needed in known.items()} == {
        name: found - positional for name, found in arguments.items()
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({}, "unknown variant 'None'"),
        ({"variant": "fairclip"}, "unknown variant 'fairclip' (did you mean"),
        ({"variant": "clip-ft", "scor": "diag"}, "unknown switch 'scor' (did you mean 'score'?)"),
        ({"variant": "clip-ft", "score": "diagonal"}, "score: unknown value 'diagonal'"),
    ],
)
def test_an_unknown_line_is_refused(line, told):
    with pytest.raises(UserError) as error:
        read_switches(line)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


# --- attributes and λ -------------------------------------------------------------------------


def run(attr, lam="1e-7"):
    return Run("fundus", "none", "tiny", "mine", attr, lam, 0)


def test_one_attribute_has_all_the_weight():
    found = read_fairness(VARIANTS["fairclip-released"], run("language"), ATTRIBUTES)
    assert (found.lam, found.weights) == (1e-7, {"language": 1})


def test_several_attributes_are_named_by_those_with_weight():
    switches = read_switches(
        {"variant": "fairclip-plus", "weights": {"race": 0.25, "gender": 0.75, "language": 0}}
    )
    found = read_fairness(switches, run("race-gender"), ATTRIBUTES)
    assert found.weights == {"race": 0.25, "gender": 0.75}


def test_without_a_distance_there_is_no_fairness():
    assert read_fairness(VARIANTS["clip-ft"], run("none", "0"), ATTRIBUTES) is None


@pytest.mark.parametrize("lam", ["a lot", "-1", "nan", "inf", ""])
def test_lam_must_be_a_number_that_is_0_or_more(lam):
    with pytest.raises(UserError, match=r"lam is .*; expected a number that is 0 or more"):
        read_lam(lam)


@pytest.mark.parametrize(
    ("line", "named", "told"),
    [
        ({"variant": "clip-ft"}, run("race", "0"), "has no fairness loss; expected attr 'none' and lam 0"),
        ({"variant": "clip-ft"}, run("none", "1"), "has no fairness loss"),
        ({"variant": "a-fairclip"}, run("rase"), "unknown attribute 'rase' (did you mean 'race'?)"),
        ({"variant": "fairclip-plus"}, run("race"), "weighs race, gender; expected attr 'race-gender'"),
        (
            {"variant": "fairclip-plus", "weights": {"race": 0.5, "gender": 0.6}},
            run("race-gender"),
            "weights sum to 1.1; expected 1",
        ),
        (
            {"variant": "fairclip-plus", "weights": {"race": 1.5, "gender": -0.5}},
            run("race-gender"),
            "weights.gender is -0.5; expected 0 or more",
        ),
    ],
)
def test_a_run_that_is_not_its_methods_is_refused(line, named, told):
    with pytest.raises(UserError) as error:
        read_fairness(read_switches(line), named, ATTRIBUTES)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
