"""The fairness loss of a run, from the attribute and λ of its key."""

import pytest

from clipfair.core.paths import Run
from clipfair.core.settings import Violation
from clipfair.plan.configuration.methods import FinetuneMethod
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.fairness import fairness_of
from clipfair.plan.loading import load_study

CONTROL = {"variant": "clip-ft", "example_weights": "reweighing"}
RECIPE = load_study("paper").configuration.recipes["fairvlmed"]


def method(**switches):
    return FinetuneMethod(kind="finetune", **switches)


def run(attr, lam="1e-7"):
    return Run("fundus", "none", "tiny", "mine", attr, lam, 0)


def test_one_attribute_has_all_the_weight():
    found = fairness_of(method(variant="fairclip-released"), run("language"), RECIPE)
    assert (found.lam, found.weights) == (1e-7, {"language": 1})


def test_several_attributes_are_named_by_those_with_weight():
    several = method(variant="fairclip-plus", weights={"race": 0.25, "gender": 0.75, "language": 0})
    assert fairness_of(several, run("race-gender"), RECIPE).weights == {"race": 0.25, "gender": 0.75}


def test_without_a_distance_there_is_no_fairness():
    assert fairness_of(method(variant="clip-ft"), run("none", "0"), RECIPE) is None


@pytest.mark.parametrize(
    "switch", [{"example_weights": "m4"}, {"sampler": "group-balanced"}, {"dro_step": 1}]
)
def test_a_method_with_cells_has_an_attribute_and_no_fairness(switch):
    entry = method(variant="clip-ft", **switch)
    assert fairness_of(entry, run("gender", "0"), RECIPE) is None


@pytest.mark.parametrize(
    ("entry", "named", "message"),
    [
        ({"variant": "clip-ft"}, run("race", "0"), "has no fairness loss; expected attr 'none' and lam 0"),
        ({"variant": "clip-ft"}, run("none", "1"), "has no fairness loss"),
        (CONTROL, run("none", "0"), "expected attr an attribute of the recipe and lam 0, found 'none' and 0"),
        (
            CONTROL,
            run("race", "1"),
            "has no fairness loss; expected attr an attribute of the recipe and lam 0",
        ),
        (CONTROL, run("rase", "0"), "unknown attribute 'rase'"),
        ({"variant": "a-fairclip"}, run("rase"), "unknown attribute 'rase' (did you mean 'race'?)"),
        ({"variant": "fairclip-plus"}, run("race"), "weighs race, gender; expected attr 'race-gender'"),
    ],
)
def test_a_run_that_is_not_its_methods_is_refused(entry, named, message):
    with pytest.raises(Violation) as caught:
        fairness_of(method(**entry), named, RECIPE)
    assert caught.value.key == ("attrs",)
    assert message in caught.value.message


def test_a_recipe_of_pretraining_is_refused():
    small: Recipe = load_study("embedded").configuration.recipes["small"]
    with pytest.raises(Violation, match="'mine' fine-tunes, which the recipe is not for"):
        fairness_of(method(variant="clip-ft"), run("none", "0"), small)
