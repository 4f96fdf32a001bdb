"""Jobs that embed, probe and evaluate: everything that their rules ask for, by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from clipfair.core import paths
from clipfair.core.paths import Run
from clipfair.plan.configuration.evaluations import Evaluation
from clipfair.plan.own_code import distance_modules, own_functions
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import model_settings, start_weights, vocabulary_file
from clipfair.plan.vocabularies import spell_out


@dataclass(frozen=True)
class EvaluationJob:
    """Some evaluations of all seeds of a batch.

    Attributes
    ----------
    parts : the runs that are evaluated on the same data, together: all of them, or where a dataset is a
        family, those of the same draws. Each has ``models``, of each run ``run`` (the levels of its key),
        ``settings`` of the model and the files ``weights``, ``snapshots`` and ``spec``, None where it has
        none; and ``datasets``: id of each evaluated dataset -> ``table``, the prepared one, ``raw``, the
        folder of files, ``contents``, the file with their sha256, and ``cache``, the folder of images that
        trainings have decoded.
    files : all files of the models, which must be made first.
    snapshots : the folders of their snapshots.
    evaluations : id -> settings.
    threads, gpus : what a job that runs the models asks for.
    numerics : ``portable`` or ``native``, as of the training.
    """

    parts: list[dict]
    files: list[str]
    snapshots: list[str]
    evaluations: Mapping[str, Mapping]
    threads: int
    gpus: int
    numerics: str

    @property
    def modules(self) -> list[str]:
        """The modules that it imports by name: of the kinds of its evaluations and of their distances."""
        kinds = sorted({evaluation["kind"] for evaluation in self.evaluations.values()})
        distances = {name: evaluation.get("distances") for name, evaluation in self.evaluations.items()}
        return [*(f"clipfair.evaluate.kinds.{kind}" for kind in kinds), *distance_modules(distances)]

    @property
    def own(self) -> list[str]:
        """The distances of the user's own that it measures, ``module:function``."""
        return own_functions([evaluation.get("distances") for evaluation in self.evaluations.values()])

    @property
    def tables(self) -> list[str]:
        """The prepared tables."""
        return self._files("table")

    @property
    def raw(self) -> list[str]:
        """The folders of files."""
        return self._files("raw")

    def _files(self, place: str) -> list[str]:
        found = [places[place] for part in self.parts for places in part["datasets"].values()]
        return list(dict.fromkeys(found))


@cache
def evaluation_job(plan: StudyPlan, batch: Run) -> EvaluationJob:
    """The evaluations of a batch that are made from embeddings."""
    return _make_job(
        plan, batch, {name: one for name, one in _evaluations_of(plan, batch) if not _augments(one)}
    )


@cache
def probe_job(plan: StudyPlan, batch: Run) -> EvaluationJob:
    """The evaluations of a batch that run the model on augmented images."""
    return _make_job(plan, batch, {name: one for name, one in _evaluations_of(plan, batch) if _augments(one)})


def batches_of_one_job(plan: StudyPlan, *, keep_embeddings: bool) -> list[Run]:
    """The batches that one job embeds and evaluates: small models, several seeds of which share a process.

    Those whose recipe keeps the embeddings, or the others.
    """
    return [
        batch
        for batch in plan.batches
        if plan.recipe_of(batch).seeds_per_process > 1
        and plan.recipe_of(batch).keep_embeddings == keep_embeddings
    ]


def batches_of_two_jobs(plan: StudyPlan) -> list[Run]:
    """The batches that one job embeds, on a GPU if there is one, and another evaluates."""
    return [batch for batch in plan.batches if plan.recipe_of(batch).seeds_per_process == 1]


def _evaluations_of(plan: StudyPlan, batch: Run) -> list[tuple[str, Evaluation]]:
    names = dict.fromkeys(name for grid in plan.grids_of(batch) for name in grid.evaluations)
    return [(name, plan.configuration.evaluations[name]) for name in names]


def _augments(evaluation: Evaluation) -> bool:
    return getattr(evaluation, "augmented", False)


def evaluation_settings(evaluation: Evaluation) -> dict:
    """An evaluation as plain values, its occupations spelled out, so that a changed vocabulary changes it."""
    return spell_out(evaluation.job_settings())


def _make_job(plan: StudyPlan, batch: Run, chosen: Mapping[str, Evaluation]) -> EvaluationJob:
    recipe = plan.recipe_of(batch)
    datasets = list(dict.fromkeys(evaluation.dataset for evaluation in chosen.values()))
    parts = _parts(plan, plan.runs_of(batch), datasets)
    models = [model for part in parts for model in part["models"]]
    files = [model[part] for model in models for part in ("weights", "spec") if model[part]]
    return EvaluationJob(
        parts=parts,
        files=[*files, *vocabulary_file(plan, batch.model)],
        snapshots=[model["snapshots"] for model in models if model["snapshots"]],
        evaluations={name: evaluation_settings(evaluation) for name, evaluation in chosen.items()},
        threads=recipe.threads,
        gpus=min(1, recipe.gpus),
        numerics=recipe.chosen_numerics,
    )


def _parts(plan: StudyPlan, runs: Sequence[Run], datasets: Sequence[str]) -> list[dict]:
    parts: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        parts.setdefault(tuple(plan.draw_of(name, run.seed) for name in datasets), []).append(run)
    return [
        {
            "models": [_model(plan, run) for run in of_part],
            "datasets": {
                name: {
                    "table": plan.prepared_of(read),
                    "raw": plan.raw_of(read),
                    "contents": paths.contents_of(plan.raw_of(read)),
                    "cache": plan.decoded_of(read),
                }
                for name, read in zip(datasets, draws, strict=True)
            },
        }
        for draws, of_part in parts.items()
    ]


def _model(plan: StudyPlan, run: Run) -> dict:
    trained, start = plan.is_trained(run), start_weights(plan, run)
    return {
        "run": asdict(run),
        "settings": model_settings(plan, run.model),
        "weights": plan.path_of(paths.MODEL, run) if trained else next(iter(start), None),
        "snapshots": plan.path_of(paths.SNAPSHOTS, run) if trained else None,
        "spec": plan.path_of(paths.MODEL_SPEC, run) if trained else None,
    }


def record_folders(plan: StudyPlan, batch: Run) -> list[str]:
    """The folders of the records of a batch: of its evaluations, of its augmented probes."""
    jobs = {paths.EVALUATE: evaluation_job, paths.PROBE: probe_job}
    return [plan.path_of(template, batch) for template, job in jobs.items() if job(plan, batch).evaluations]


def predicted_folders(plan: StudyPlan) -> list[str]:
    """The folders of evaluations with predictions that are published: those of the kind threshold_free."""
    return [
        plan.path_of(paths.EVALUATE, batch)
        for batch in plan.batches
        if any(evaluation.kind == "threshold_free" for _, evaluation in _evaluations_of(plan, batch))
    ]
