"""The loss against a step of the released code; every switch has its effect and no other."""

from dataclasses import replace
from itertools import islice

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from benchmarks.fairclip.reference import released_loss
from clipfair.core.errors import UserError
from clipfair.metrics.distances import group_distances
from clipfair.plan.configuration.methods import VARIANTS, FinetuneMethod, Switches
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip import objective as objective_module
from clipfair.train.fairclip.objective import FairclipObjective, in_towers
from clipfair.train.finetuning.batches import (
    GROUP_LABELS,
    GROUP_PIXELS,
    GROUP_SIZES,
    GROUP_TEXTS,
    LABELS,
    GroupedBatches,
)
from clipfair.train.finetuning.examples import read_splits
from clipfair.train.interfaces import Batch
from tests.unit.train.finetuning_data import GROUPS, RECIPE, make_model, make_table, write_data

EXACT = {"kind": "wasserstein", "p": 2}
BASE = Switches(distance=EXACT)


def changed(**switches):
    """``BASE`` with other values of some switches."""
    return BASE.model_copy(update=switches)


ATTRIBUTE_OF = [name for name, values in GROUPS.items() for _ in values]
BOTH = {"race": 0.25, "gender": 0.75}


@pytest.fixture(scope="module")
def built():
    return make_model()


@pytest.fixture(scope="module")
def batch(tmp_path_factory, built):
    """A batch of 16 with one of 8 of each group of race and gender."""
    data = write_data(tmp_path_factory.mktemp("world"), make_table())
    train = read_splits(RECIPE, data, built, seed=0, cache=data["cache"])["train"]
    groups = [places for name in GROUPS for places in train.members(name).values()]
    source = GroupedBatches(train, built, groups, batch_size=16, group_batch_size=8, seed=0)
    return next(iter(islice(source, 1)))


def make(switches, built, lam=0.5, weights=BOTH):
    fairness = {"lam": lam, "weights": weights}
    prompts = built.tokenizer(RECIPE["prompts"])
    checks = DeferredChecks()
    return FairclipObjective(switches.model_dump(), fairness, ATTRIBUTE_OF, built, checks, prompts=prompts)


def run(objective, batch, model=None):
    """The terms as numbers, and the gradients by name."""
    model = make_model().model if model is None else model
    objective.prepare(model)
    for _, parameter in objective.parameters(model):
        parameter.grad = None
    terms = objective.terms(model, batch)
    terms["loss"].backward()
    objective.checks.read()
    trained = dict(objective.parameters(model))
    return {name: value.item() for name, value in terms.items()}, {
        name: parameter.grad for name, parameter in trained.items()
    }


# --- against the step as released -------------------------------------------------------------

METHODS = {
    "fairclip-released": {"square": True, "divide_batch": False, "divide_group": True},
    "fairclip-corrected": {"square": True, "divide_batch": True, "divide_group": True},
    "a-fairclip": {"square": False, "divide_batch": False, "divide_group": False},
}
# In proportion to the scores: with much less, the gradients of geomloss are not those of its formula.
BLURS = {"fairclip-released": 20, "fairclip-corrected": 0.01, "a-fairclip": 0.5}


def step_of(variant, kind, blur, built, batch):
    """Loss and gradients of one step with attribute race: ours, and those of the released step."""
    sinkhorn = {"p": 2, "blur": blur, "scaling": 0.5, "diameter": None}
    entry = {"variant": variant, "distance": {"kind": kind, **sinkhorn}, "precision": "fp32"}
    switches = FinetuneMethod(kind="finetune", **entry).job_settings()
    fairness = {"lam": 0.01, "weights": {"race": 1}}
    objective = FairclipObjective(switches, fairness, ["race"] * 3, built, DeferredChecks())
    three = batch.extra[GROUP_SIZES][:3]
    extra = {
        GROUP_SIZES: three,
        **{name: batch.extra[name][: sum(three)] for name in batch.extra if name != GROUP_SIZES},
    }
    terms, gradients = run(objective, replace(batch, extra=extra))

    model = make_model().model
    images = built.normalise(extra[GROUP_PIXELS]).split(three)
    groups = list(zip(images, extra[GROUP_TEXTS].split(three), strict=True))
    loss = released_loss(
        model, (batch.images, batch.texts), groups, lam=0.01, sinkhorn=sinkhorn, **METHODS[variant]
    )
    loss.backward()
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    return (terms["loss"], gradients), (loss.item(), {name: expected[name] for name in gradients})


@pytest.mark.parametrize("variant", METHODS)
def test_loss_and_gradients_equal_those_of_the_released_step(variant, built, batch):
    (loss, gradients), (released, expected) = step_of(variant, "sinkhorn", BLURS[variant], built, batch)
    assert loss == pytest.approx(released, rel=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-5)


# At the released blur, ties between costs decide the gradient in 32 bits (section 1b): at these scores, of
# about 600, the released gradient moves by some percent with the last bit of a score. The other methods have
# no ties here.
INHERENT = {"fairclip-released": 0.05, "fairclip-corrected": 1e-5, "a-fairclip": 1e-5}


@pytest.mark.parametrize("kind", ["geomloss", "sinkhorn"])
@pytest.mark.parametrize("variant", METHODS)
def test_at_the_released_blur_gradients_agree_up_to_ties(variant, kind, built, batch):
    (loss, gradients), (released, expected) = step_of(variant, kind, 1e-4, built, batch)
    assert loss == pytest.approx(released, rel=1e-5)
    ours, theirs = (
        torch.cat([value.flatten() for value in one.values()]).double() for one in (gradients, expected)
    )
    assert (ours - theirs).norm() <= INHERENT[variant] * theirs.norm()


def test_the_released_loss_only_shrinks_the_scores(built, batch):
    """Section 1b: group scores are divided by their sum, so each distance is half the mean square score."""
    objective = make(VARIANTS["fairclip-released"], built, lam=1e-7, weights={"race": 1, "gender": 1})
    model = make_model().model
    objective.prepare(model)
    images, texts = objective_module.embed(model, batch)
    logits = model.logit_scale.exp() * images @ texts.T
    half_mean_square = (logits @ logits).diagonal().square().mean() / 2
    fairness = run(objective, batch)[0]["fairness"]
    assert fairness == pytest.approx(5 * half_mean_square.item(), rel=0.01)


def early_loss(variant, built, scores, shift):
    """λ times the fairness loss of race and gender, where the scores of every group are shifted."""
    objective = make(VARIANTS[variant], built, weights={"race": 0.5, "gender": 0.5})
    return 1e-5 * objective._fairness(scores, [scores - shift] * 5).item()


def test_both_early_forms_of_fairclip_plus_in_numbers(built):
    """32 scores with a root mean square of 30,262; groups are shifted, so that exact distances are known.

    Three groups of race and two of gender weigh 0.5 each; the sum is divided by two attributes.
    """
    scores, shift = torch.linspace(24000, 36000, 32), 11921.6
    scores *= 30262 / scores.square().mean().sqrt()
    factor = 1e-5 * (0.5 * 3 + 0.5 * 2) / 2
    early, raw = (early_loss(f"fairclip-plus-{form}", built, scores, shift) for form in ("early", "raw"))
    # Group scores over their sum are about 1/32: the distance is half the mean square of the batch.
    assert early == pytest.approx(factor * 30262**2 / 2, rel=1e-3)
    assert early == pytest.approx(5724, rel=1e-3)
    # W_2^2 / 2 of shifted scores is half the squared shift; with diameter 2 the divergence stays below.
    assert raw == pytest.approx(597, rel=1e-3)
    assert raw < 0.7 * factor * shift**2 / 2


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [
        ("none", ((4 - 1) ** 2 + (12 - 3) ** 2) / 4),
        ("group", ((4 - 1 / 4) ** 2 + (12 - 3 / 4) ** 2) / 4),
        ("batch", ((1 / 4 - 1) ** 2 + (3 / 4 - 3) ** 2) / 4),
        ("both", 0),
        ("standard", 0),
    ],
)
def test_each_normalisation_in_closed_form(normalise, expected, built):
    """Half the squared exact distance of the scores (4, 12) and (1, 3); their sums are 16 and 4."""
    objective = make(changed(normalise=normalise), built, weights={"race": 1})
    objective.attribute_of = ["race"]
    fairness = objective._fairness(torch.tensor([4.0, 12.0]), [torch.tensor([1.0, 3.0])])
    assert fairness.item() == pytest.approx(expected, abs=1e-6)


# --- switches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"score": "diag_square"},
        {"score": "margin"},
        {"conditional": "label"},
        {"normalise": "group"},
        {"normalise": "batch"},
        {"normalise": "both"},
        {"normalise": "standard"},
        {"distance": {"kind": "wasserstein", "p": 1}},
        {"distance": {**EXACT, "scale_free": True}},
        {"group_reduction": "mean"},
        {"divide_by_attributes": True},
    ],
    ids=str,
)
def test_switches_of_the_fairness_loss_do_not_change_the_contrastive_loss(change, built, batch):
    before, after = (run(make(switches, built), batch)[0] for switches in (BASE, changed(**change)))
    assert after["contrastive"] == before["contrastive"]
    assert after["fairness"] != pytest.approx(before["fairness"], rel=1e-3)
    for terms in (before, after):
        assert terms["loss"] == pytest.approx(terms["contrastive"] + 0.5 * terms["fairness"])


def fairness_of(switches, built, batch, weights):
    return run(make(switches, built, weights=weights), batch)[0]["fairness"]


def test_attributes_are_weighted(built, batch):
    race, gender, both = (
        fairness_of(BASE, built, batch, weights)
        for weights in ({"race": 1, "gender": 0}, {"race": 0, "gender": 1}, BOTH)
    )
    assert both == pytest.approx(0.25 * race + 0.75 * gender)


def test_the_sum_over_attributes_is_divided_by_their_number(built, batch):
    whole, divided = (
        fairness_of(changed(divide_by_attributes=divide), built, batch, BOTH) for divide in (False, True)
    )
    assert divided == pytest.approx(whole / 2)


def test_the_mean_over_groups_is_the_sum_over_their_number(built, batch):
    weights = {"race": 1, "gender": 0}
    total, mean = (
        fairness_of(changed(group_reduction=how), built, batch, weights) for how in ("sum", "mean")
    )
    assert mean == pytest.approx(total / 3)


def test_an_overwritten_loss_is_computed_and_not_trained_on(built, batch):
    terms, gradients = run(make(changed(overwritten=True), built), batch)
    plain, of_contrastive = run(
        FairclipObjective(BASE.model_dump(), None, [], built, DeferredChecks()), batch
    )
    kept, _ = run(make(BASE, built), batch)
    assert terms["loss"] == plain["loss"]
    assert terms["fairness"] == kept["fairness"]
    assert all(torch.equal(gradients[name], of_contrastive[name]) for name in of_contrastive)


def test_lam_0_trains_on_the_contrastive_loss(built, batch):
    _, gradients = run(make(BASE, built, lam=0.0), batch)
    _, of_contrastive = run(FairclipObjective(BASE.model_dump(), None, [], built, DeferredChecks()), batch)
    for name, gradient in of_contrastive.items():
        torch.testing.assert_close(gradients[name], gradient)


def test_an_undefined_distance_counts_as_0_if_nan_to_zero_is_set(built, batch, monkeypatch):
    def one_undefined(entry, population, groups):
        return torch.tensor([torch.nan, 1, 1, 1, 1])

    monkeypatch.setattr(objective_module, "group_distances", one_undefined)
    even = {"race": 1, "gender": 1}
    model = make_model().model
    plain, fixed = (
        make(changed(nan_to_zero=fix), built, weights=even).terms(model, batch)["fairness"]
        for fix in (False, True)
    )
    assert plain.isnan()
    assert fixed == 4


def test_the_margin_is_the_logit_of_the_probability(built, batch, monkeypatch):
    """p = sigmoid(margin / exp(logit_scale)): the loss compares what decides the predictions."""
    compared = []

    def recorded(entry, population, groups):
        compared.append((population.detach(), groups))
        return group_distances(entry, population, groups)

    monkeypatch.setattr(objective_module, "group_distances", recorded)
    model = make_model().model
    _, gradients = run(make(changed(score="margin", trained="all"), built), batch, model)
    [(population, groups)] = compared
    with torch.no_grad():
        texts = model.encode_text(built.tokenizer(RECIPE["prompts"]))
        pixels = [batch.images, built.normalise(batch.extra[GROUP_PIXELS])]
        images = [model.encode_image(part)[:, None] for part in pixels]
        p = [torch.cosine_similarity(part, texts[None], dim=2).softmax(1)[:, 1] for part in images]
    scale = model.logit_scale.exp()
    torch.testing.assert_close(torch.sigmoid(population / scale), p[0])
    torch.testing.assert_close(torch.sigmoid(torch.cat(groups) / scale), p[1])
    _, without = run(make(changed(score="margin", trained="all"), built, lam=0.0), batch)
    assert not torch.allclose(gradients["text.words.weight"], without["text.words.weight"])


def test_distances_within_labels_in_closed_form(built):
    """Half the squared exact distance: 1/2 for label 0, (2 - 5)^2 / 2 for label 1, and their mean."""
    objective = make(changed(conditional="label"), built, weights={"race": 1})
    objective.attribute_of = ["race"]
    scores, group = torch.tensor([0.0, 2.0, 0.0, 2.0]), torch.tensor([5.0, 1.0, 5.0])
    extra = {LABELS: np.array([0, 1, 0, 1]), GROUP_LABELS: np.array([1, 0, 1]), GROUP_SIZES: [3]}
    found = objective._fairness_by_label(scores, [group], extra)
    assert found.item() == pytest.approx((1 / 2 + 9 / 2) / 2)


def test_a_score_that_depends_on_the_label_alone_has_no_distance_within_labels(built):
    """Groups of different base rates, and one without label 0; the marginal distance is not zero."""
    objective = make(changed(conditional="label"), built, weights={"race": 1})
    objective.attribute_of = ["race"] * 2
    labels, sizes = np.array([0, 0, 0, 1, 1, 1, 1]), [4, 3]
    groups = list(torch.from_numpy(labels).float().split(sizes))
    extra = {LABELS: np.array([0, 1, 0, 1]), GROUP_LABELS: labels, GROUP_SIZES: sizes}
    scores = torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert objective._fairness_by_label(scores, groups, extra) == 0
    assert objective._fairness(scores, groups) > 0.1
    one_label = {**extra, LABELS: np.array([1, 1, 1, 0])}
    assert objective._fairness_by_label(torch.tensor([1.0, 1.0, 1.0, 9.0]), groups, one_label) == 0


@pytest.mark.parametrize("score", ["diag", "diag_square"])
def test_16_bits_round_the_scores_and_the_weights(score, built, batch):
    full, half = (
        run(make(changed(score=score, precision=precision), built, lam=1e-5), batch)[0]
        for precision in ("fp32", "fp16_roundtrip")
    )
    assert half != full
    assert half["contrastive"] == pytest.approx(full["contrastive"], rel=0.01)
    assert half["score"] == pytest.approx(full["score"], rel=0.01)


def test_a_score_beyond_16_bits_is_reported(built, batch):
    model = make_model().model
    with torch.no_grad():
        model.logit_scale.fill_(7.0)
    objective = make(changed(score="diag_square", precision="fp16_roundtrip"), built)
    with pytest.raises(UserError, match=r"the score [\d.e+]+ of data_\d{5} is beyond 16 bits"):
        run(objective, batch, model)


# --- what is trained --------------------------------------------------------------------------


def trained(model, **change):
    objective = FairclipObjective(changed(**change).model_dump(), None, [], make_model(), DeferredChecks())
    return {name for name, _ in objective.parameters(model)}


def make_clip(vision):
    torch.manual_seed(0)
    text = CLIPTextCfg(context_length=12, vocab_size=300, width=16, heads=2, layers=1)
    return open_clip.CLIP(8, vision, text)


VIT = CLIPVisionCfg(layers=1, width=16, head_width=8, patch_size=8, image_size=16)
RESNET = CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32)


def test_towers_are_the_image_tower_and_the_blocks_of_the_text_tower():
    model = make_clip(VIT)
    expected = {f"visual.{name}" for name, _ in model.visual.named_parameters()}
    expected |= {f"transformer.{name}" for name, _ in model.transformer.named_parameters()}
    assert trained(model) == expected
    every = {name for name, _ in model.named_parameters()}
    assert trained(model, trained="all") == every - {"logit_scale"}
    assert trained(model, logit_scale="trained") == expected | {"logit_scale"}
    assert trained(model, trained="all", logit_scale="trained") == every


def test_the_small_model_has_towers_too():
    outside = {name for name, _ in make_model().model.named_parameters() if not in_towers(name)}
    assert outside == {"logit_scale", "text.words.weight", "text.norm.weight", "text.norm.bias", "text.proj"}


# --- passes through the model -----------------------------------------------------------------


def test_one_pass_for_all_groups_equals_one_pass_per_group(built, batch, monkeypatch):
    together, gradients = run(make(BASE, built), batch)
    monkeypatch.setattr(objective_module, "mixes_examples", lambda model: True)
    each, of_each = run(make(BASE, built), batch)
    assert each["fairness"] == pytest.approx(together["fairness"], rel=1e-4)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, of_each[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("mode", "passes"), [("eval", 2), ("train", 6)])
def test_batch_norm_in_training_mode_separates_the_groups(mode, passes, built, batch, monkeypatch):
    model = make_clip(RESNET)
    seen = []
    encode = model.encode_image
    monkeypatch.setattr(model, "encode_image", lambda images: seen.append(len(images)) or encode(images))
    larger = replace(built, normalise=lambda pixels: built.normalise(pixels.repeat(1, 1, 2, 2)))
    batch = Batch(batch.images.repeat(1, 1, 2, 2), batch.texts, batch.keys, batch.extra)
    make(changed(mode=mode), larger).terms(model.train(), batch)
    assert len(seen) == passes
    assert model.training == (mode == "train")
    assert objective_module.mixes_examples(model) == (mode == "train")
