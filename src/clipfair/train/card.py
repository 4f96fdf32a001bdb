"""The model card of a trained model: the sections of Mitchell et al. (2019), filled from its spec."""

from collections.abc import Mapping


def model_card(spec: Mapping) -> str:
    """A page for people (CLIP the Bias, Appendix A.3, has the like of it).

    Parameters
    ----------
    spec
        As :func:`clipfair.train.outputs.make_spec` makes it.
    """
    settings = spec["settings"]
    run, method, recipe = settings["run"], settings["method"], settings["recipe"]
    packages = spec["environment"]["packages"]
    architecture = _facts({key: value for key, value in settings["model"].items() if key != "weights"})
    return f"""# Model card: {run["model"]}, {run["method"]}, {run["balance"]}, seed {run["seed"]}

## Model details
- Two towers that embed images and texts in one space. Architecture: {architecture}.
- {spec["parameters"]:,} parameters. Started from {_start(settings["model"])}.
- Trained for: {method["kind"]}; {_facts(method["settings"])}.
- Recipe: {_facts(recipe)}.
- Software: torch {packages["torch"]}, open_clip {packages["open_clip_torch"]}; code {spec["code"]}.

## Intended use
- Research on bias in models of images and texts: comparing this model with others of the same study that
  differ in their data or their method.
- Not for use on people, nor for decisions of any kind. Categories such as perceived gender are coarse, and
  assigned by others.

## Factors
- Bias is measured between the groups that the evaluation sets annotate (perceived gender, age, race, and in
  medical data ethnicity and language). Groups that they do not annotate are not looked at.

## Metrics
- Representation bias, association bias, zero-shot and few-shot accuracy, retrieval, group fairness: under
  `results/evaluate`, by the same run key. No figure is given here, so that none can be out of date.

## Training data
{_data(spec)}

## Evaluation data
- The evaluation lines of config.yaml name them; `resources/datasets.yaml` has versions and licences.

## Quantitative analyses
- The tables of the study; every one is a function of the evaluation records alone.

## Ethical considerations
- A model learns the associations of its data. Balancing removes those between annotated attributes, in
  training data alone, and up to the errors of the annotation; a bias found small here may be large elsewhere.

## Caveats and recommendations
- Seeds differ: compare models over several. What is not comparable with a published value is marked so in
  the tables.
"""


def _facts(values: Mapping) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _start(model: Mapping) -> str:
    weights = model.get("weights")
    if not weights:
        return "random weights"
    if "run" in weights:
        return f"a model of this study ({_facts(weights['run'])})"
    return f"published weights, {weights['url']}"


def _data(spec: Mapping) -> str:
    seen = f"- {spec['examples']:,} examples seen, in {spec['steps']:,} steps."
    stages = spec["data"].get("stages", [])
    lines = [
        f"- Stage {number}, condition `{stage['balance']}`: {stage['examples']:,} pairs, "
        f"{stage['steps']:,} steps, {stage['passes']} passes."
        for number, stage in enumerate(stages, start=1)
    ]
    return "\n".join([f"- Dataset `{spec['settings']['run']['dataset']}`.", *lines, seen])
