"""The model card of a batch (one setting, all seeds), with the sections of Mitchell et al. (2019)."""

from collections.abc import Mapping, Sequence

CARD = """# Model card: {title}

## Model details
- Two towers that embed images and texts in one space. Architecture: {architecture}.
- {parameters:,} parameters. Initial weights: {initial_weights}.
- Seeds: {seeds}.
- Method: {method}.
- Recipe: {recipe}.
- Software: torch {torch}, open_clip {open_clip}; code {code}.

## Intended use
- Research on bias in models of images and texts: a comparison of this model with others of the same study
  that differ in their data or their method.
- Not for use on people, nor for decisions of any kind. Categories such as perceived gender are coarse, and
  were assigned by other people.

## Factors
- Bias is measured between the groups that the evaluation sets annotate (perceived gender, age, race, and in
  medical data ethnicity and language). Other groups are not measured.

## Metrics
- Representation bias, association bias, zero-shot and few-shot accuracy, retrieval, group fairness: under
  `results/evaluate`, by the same run key.

## Training data
{data}

## Evaluation data
- Each evaluation of the configuration names its dataset; `resources/datasets.yaml` has versions and licences.

## Quantitative analyses
- The tables of the study, which are made from the evaluation records.
- Training curves: ![training curves]({curves})

## Ethical considerations
- A model learns the associations of its data. Balancing removes associations between annotated attributes in
  the training data only, up to the errors of the annotation. A bias that is small here may be large
  elsewhere.

## Caveats and recommendations
- Results differ between seeds: compare models over several seeds. The tables mark the values that cannot be
  compared with a published value.
"""


def model_card(specs: Sequence[Mapping], *, curves: str) -> str:
    """Return the card as Markdown; CLIP the Bias has one in Appendix A.3.

    Parameters
    ----------
    specs
        The spec.json of each seed, as :func:`clipfair.train.outputs.make_spec` makes it.
    curves
        The file name of the training curves, which the card shows.
    """
    spec, settings = specs[0], specs[0]["settings"]
    model, method = settings["model"], settings["method"]
    packages = spec["environment"]["packages"]
    architecture = {key: value for key, value in model.items() if key not in ("weights", "kind")}
    return CARD.format(
        title=title_of(settings["run"]),
        architecture=f"{model['kind']}; {_list(architecture)}",
        parameters=spec["parameters"],
        initial_weights=_initial_weights(model),
        seeds=", ".join(str(one["settings"]["run"]["seed"]) for one in specs),
        method=f"{method['kind']}; {_list(method['settings'])}",
        recipe=_list(settings["recipe"]),
        torch=packages["torch"],
        open_clip=packages["open_clip_torch"],
        code=spec["code"],
        data=_training_data(spec),
        curves=curves,
    )


def title_of(run: Mapping) -> str:
    """``dataset x, model y, method z`` of a run key, without its seed and levels that do not apply."""
    return ", ".join(
        f"{level} {value}" for level, value in run.items() if level != "seed" and value not in ("none", "0")
    )


def _list(values: Mapping) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _initial_weights(model: Mapping) -> str:
    weights = model.get("weights")
    if not weights:
        return "random"
    if "run" in weights:
        return f"a model of this study ({_list(weights['run'])})"
    return f"published, {weights['url']}"


def _training_data(spec: Mapping) -> str:
    stages = [
        f"- Stage {number}, condition `{stage['balance']}`: {stage['examples']:,} pairs, "
        f"{stage['steps']:,} steps, {stage['passes']} passes."
        for number, stage in enumerate(spec["data"].get("stages", []), start=1)
    ]
    seen = f"- {spec['examples']:,} examples seen, in {spec['steps']:,} steps."
    return "\n".join([f"- Dataset `{spec['settings']['run']['dataset']}`.", *stages, seen])
