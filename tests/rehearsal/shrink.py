"""A configuration that makes every model, training, search and probe of a study small.

Entries keep their kinds, formats, methods and switches. Widths, layers, image sizes, steps, epochs, batches,
trials and what jobs ask for become small.
"""

from typing import Any

from clipfair.plan.configuration.evaluations import LinearProbeEvaluation
from clipfair.plan.configuration.models import Blip2Model, OpenClipModel, SiglipModel, VitModel
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration_files import merge

WIDTH = 16
TRANSFORMER = {"layers": 2, "width": WIDTH}
JOB = {"gpus": 0, "threads": 1, "mem_mb": 2000, "minutes": 10}
# Ten steps: the first snapshot of the paper's recipe is after a tenth of the examples.
PRETRAINING = {"batch_size": 64, "examples": 640, "workers": 0, "open_shards": 2}
# A rank correlation over epochs needs three.
FINE_TUNING = {"batch_size": 32, "group_batch_size": 8, "epochs": 3}
QFORMER = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def small_configuration(configuration: Configuration) -> dict[str, Any]:
    """Return what to merge into a configuration."""
    models = configuration.models.items()
    evaluations = configuration.evaluations.items()
    return {
        # Complete entries: what an entry has by `like` is not merged key by key.
        "models": {
            name: merge(model.job_settings(), small)
            for name, model in models
            if (small := small_model(model))
        },
        "recipes": {name: small_recipe(recipe) for name, recipe in configuration.recipes.items()},
        "searches": {name: {"trials": 1, "parts": 1} for name in configuration.searches},
        "evaluations": {
            name: {"epochs": 2, "warm_up": 1, "batch_size": 16}
            for name, evaluation in evaluations
            if isinstance(evaluation, LinearProbeEvaluation) and evaluation.head is None
        },
        "classifiers": {name: {"epochs": 1} for name in configuration.classifiers},
    }


def small_model(model: Any) -> dict[str, Any]:
    """Return the changes that make a model small; none of a small CLIP."""
    match model:
        case VitModel():
            towers = {"vision_cfg": TRANSFORMER | {"head_width": 8}, "text_cfg": _text()}
            return {"size": 32, "dim": model.dim // 24, "overrides": towers}
        case OpenClipModel() | SiglipModel():
            return {"overrides": _overrides(model.architecture)}
        case Blip2Model():
            tower = (
                {"overrides": _overrides(model.tower["architecture"])}
                if "architecture" in model.tower
                else {}
            )
            return {"tower": tower, "tokens": 1, "queries": 3, "dim": 8, "qformer": QFORMER} if tower else {}
    return {}


def small_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return the changes that make a training short and let it run on one core."""
    sizes = FINE_TUNING if recipe.fine_tunes else PRETRAINING
    return sizes | JOB | {key: 2 for key in ("warmup", "timescale") if getattr(recipe, key)}


def _overrides(architecture: str) -> dict[str, Any]:
    """Return small towers of the kind that open_clip's architecture has."""
    import open_clip

    vision = open_clip.get_model_config(architecture)["vision_cfg"]
    if "timm_model_name" in vision:
        # timm's model for tests; its width is 64, and so is the text's, as there is no projection.
        small = {"timm_model_name": "test_vit", "image_size": 32}
        return {"embed_dim": 64, "vision_cfg": small, "text_cfg": _text()}
    if isinstance(vision["layers"], list):
        small = {"layers": [1, 1, 1, 1], "width": 4, "head_width": 32, "image_size": 32}
    else:
        small = TRANSFORMER | {"head_width": 8, "image_size": 2 * vision["patch_size"]}
    return {"embed_dim": WIDTH, "vision_cfg": small, "text_cfg": _text()}


def _text() -> dict[str, Any]:
    return TRANSFORMER | {"heads": 2}
