"""Jobs that train: everything that the rules of training and of fetched weights ask for, by run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

from clipfair.core import paths
from clipfair.core.functions import module_names
from clipfair.core.paths import Run
from clipfair.plan.configuration.methods import FinetuneMethod
from clipfair.plan.configuration.models import PublishedWeights
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.fairness import fairness_of
from clipfair.plan.own_code import distance_modules, own_functions
from clipfair.plan.study_plan import StudyPlan


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    Attributes
    ----------
    settings : all that decides the model besides files and code: ``run`` (the levels of its key), ``version``
        of the dataset, ``model``, ``recipe``, ``method`` (``kind`` and ``settings``; of a fine-tuning all
        switches), ``fairness`` (``lam`` and the ``weights`` of the attributes; None without a fairness loss),
        ``stages`` (``balance`` and ``share`` of each).
    raw : the folder of the dataset: of a family, that of the draw of its seed, as of all data.
    table : the prepared table, where no keep-list names the examples.
    keep : the keep-list of each stage.
    weights : the initial weights; empty for random ones.
    vocabulary : the published vocabulary of its tokenizer, if there is one.
    cache : a folder that trainings on the same dataset share.
    scratch : a folder of its own, for its checkpoints.
    recipe : what the job asks for: ``gpus``, ``threads``, ``mem_mb``, ``minutes``.
    """

    settings: Mapping
    raw: str
    table: list[str]
    keep: list[str]
    weights: list[str]
    vocabulary: list[str]
    cache: str
    scratch: str
    recipe: Recipe

    @property
    def data(self) -> dict:
        """The inputs of the training, in the form that :func:`clipfair.train.run.train` takes."""
        data = {"raw": self.raw, "contents": paths.contents_of(self.raw), "cache": self.cache}
        if self.keep:
            data["keep"] = self.keep
        else:
            data["table"] = self.table[0]
        if self.vocabulary:
            data["vocabulary"] = self.vocabulary[0]
        return data

    @property
    def kind(self) -> str:
        """The kind of its method."""
        return self.settings["method"]["kind"]

    @property
    def modules(self) -> list[str]:
        """The modules that it imports by name: of its kind, loss, weights and distances."""
        method = self.settings["method"]["settings"]
        named = {"losses": method.get("loss"), "example_weights": method.get("example_weights")}
        functions = [
            f"clipfair.train.{package}.{name}"
            for package, name in named.items()
            if name in module_names(f"train/{package}")
        ]
        distances = distance_modules({**method, "tracked": self.settings["recipe"]["tracked"]})
        return [f"clipfair.train.kinds.{self.kind}", *functions, *distances]

    @property
    def own(self) -> list[str]:
        """The functions of the user's own that it calls, ``module:function``."""
        return own_functions([self.settings["method"]["settings"], self.settings["recipe"]["tracked"]])


@cache
def training_job(plan: StudyPlan, run: Run) -> TrainingJob:
    """The job of one training."""
    return make_training_job(plan, run, plan.recipe_of(run), plan.path_of(paths.SCRATCH, run))


@dataclass(frozen=True)
class TrainingRule:
    """A rule that trains some seeds, one after another, of each of its batches.

    Attributes
    ----------
    name : ``train_model`` for one seed, which is a wildcard; ``train_seeds_<seeds>`` for several.
    seeds : as they stand in the paths of its outputs.
    batches : those that it trains.
    """

    name: str
    seeds: tuple[str, ...]
    batches: list[Run]

    @property
    def log_name(self) -> str:
        """The name of the log of a job, without suffix."""
        return f"{{dataset}}-{{balance}}-{{model}}-{{method}}-{{attr}}-{{lam}}-{'_'.join(self.seeds)}"


def training_rules(plan: StudyPlan) -> list[TrainingRule]:
    """The rules of training: one for recipes that train a seed in a process, one for each block of seeds.

    The blocks of a batch do not depend on the seeds that it has (0 to n - 1, n to 2n - 1, ...), so that a new
    seed reruns at most its own block.
    """
    alone, blocks = [], {}
    for batch in filter(plan.is_trained, plan.batches):
        size = plan.recipe_of(batch).seeds_per_process
        if size == 1:
            alone.append(batch)
            continue
        for _, block in groupby(plan.seeds_of(batch), key=lambda seed, size=size: seed // size):
            blocks.setdefault(tuple(map(str, block)), []).append(batch)
    rules = [TrainingRule(f"train_seeds_{'_'.join(seeds)}", seeds, blocks[seeds]) for seeds in blocks]
    return [TrainingRule("train_model", ("{seed}",), alone), *rules]


def trained_runs(run: Run, seeds: tuple[str, ...]) -> list[Run]:
    """The runs that a job of a rule with these seeds trains; ``run`` is of its wildcards."""
    return [run] if seeds == ("{seed}",) else [replace(run, seed=int(seed)) for seed in seeds]


def make_training_job(plan: StudyPlan, run: Run, recipe: Recipe, scratch: str) -> TrainingJob:
    """The job that trains ``run`` by a recipe; ``scratch`` is its folder within the setting of that name."""
    settings, dataset = training_settings(plan, run, recipe), plan.dataset_of(run)
    keep = [
        paths.KEEP.format(study=plan.study, dataset=dataset, balance=stage["balance"])
        for stage in settings["stages"]
    ]
    return TrainingJob(
        settings=settings,
        raw=plan.raw_of(dataset),
        table=[] if keep else [plan.prepared_of(dataset)],
        keep=keep,
        weights=start_weights(plan, run),
        vocabulary=vocabulary_file(plan, run.model),
        cache=plan.decoded_of(dataset),
        scratch=str(Path(plan.configuration.scratch, scratch)),
        recipe=recipe,
    )


def training_settings(plan: StudyPlan, run: Run, recipe: Recipe) -> dict:
    """All that decides a trained model besides files and code, and nothing of other models."""
    method = plan.configuration.methods[run.method]
    fairness = fairness_of(method, run, recipe) if isinstance(method, FinetuneMethod) else None
    return {
        "run": asdict(run),
        "version": plan.datasets[plan.dataset_of(run)].version,
        "model": model_settings(plan, run.model),
        "recipe": recipe.job_settings(),
        "method": {
            "kind": method.kind,
            "settings": {key: value for key, value in method.job_settings().items() if key != "kind"},
        },
        "fairness": None if fairness is None else asdict(fairness),
        "stages": [{"balance": name, "share": share} for name, share in plan.stages_of(run.balance)],
    }


def model_settings(plan: StudyPlan, model: str) -> dict:
    """A model, its tokenizer's vocabulary as the file that it is fetched to."""
    settings = plan.configuration.models[model].job_settings()
    for file in vocabulary_file(plan, model):
        settings["tokenizer"] = {**settings["tokenizer"], "vocabulary": file}
    return settings


# --- weights ---


def start_weights(plan: StudyPlan, run: Run) -> list[str]:
    """The file of the weights that a run starts from; none for random ones."""
    start = plan.start_of(run)
    if start is not None:
        return [plan.path_of(paths.MODEL, start)]
    return [] if plan.model_of(run).published is None else [fetched_weights(plan, run.model)]


def fetched_weights(plan: StudyPlan, model: str) -> str:
    """The file of a model's published weights; models with the same weights share it."""
    weights = plan.configuration.models[model].published
    return paths.WEIGHTS.format(weights=_first(plan, lambda other: other.published == weights))


def published_weights(plan: StudyPlan) -> list[str]:
    """The files of the published weights that the study's models start from."""
    models = plan.configuration.models
    names = dict.fromkeys(batch.model for batch in plan.batches)
    return [
        fetched_weights(plan, name) for name in names if isinstance(models[name].weights, PublishedWeights)
    ]


def vocabulary_file(plan: StudyPlan, model: str) -> list[str]:
    """The file of the published vocabulary of a model's tokenizer, if it has one; shared likewise."""
    vocabulary = plan.configuration.models[model].vocabulary
    if vocabulary is None:
        return []
    return [paths.VOCABULARY.format(weights=_first(plan, lambda other: other.vocabulary == vocabulary))]


def tower_weights(plan: StudyPlan, model: str) -> list[str]:
    """The file of the CLIP whose image tower a model's published weights lack; none if they are whole."""
    tower = plan.configuration.models[model].published.tower
    return [] if tower is None else [fetched_weights(plan, tower)]


def fetched_models(plan: StudyPlan) -> list[str]:
    """The models whose published weights are fetched, each file once."""
    models = plan.configuration.models
    return [
        name
        for name, model in models.items()
        if model.published and name == _first(plan, lambda other, own=model: other.published == own.published)
    ]


def fetched_vocabularies(plan: StudyPlan) -> list[str]:
    """The models whose tokenizer's vocabulary is fetched, each file once."""
    models = plan.configuration.models
    return [
        name
        for name, model in models.items()
        if model.vocabulary
        and name == _first(plan, lambda other, own=model: other.vocabulary == own.vocabulary)
    ]


def _first(plan: StudyPlan, holds) -> str:
    """The first model for which ``holds``."""
    return next(name for name, model in plan.configuration.models.items() if holds(model))
