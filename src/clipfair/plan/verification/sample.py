"""The sample of a study's results that is rebuilt: a few of each kind, each within minutes on a CPU."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clipfair.core import paths
from clipfair.core.paths import Run
from clipfair.plan.configuration.methods import FinetuneMethod, Method
from clipfair.plan.study_plan import StudyPlan

# Kinds of mitigations in the sample; a reduction takes minutes.
MITIGATIONS = ("baseline", "m4")


@dataclass(frozen=True)
class SampledResult:
    """One result.

    Attributes
    ----------
    kind : ``M4 condition``, ``pretraining``, ``fine-tuning``, ``evaluation`` or ``mitigation``.
    name : its run key, or dataset and condition.
    files : the files and folders that are compared.
    spec : the record of what made them.
    """

    kind: str
    name: str
    files: tuple[str, ...]
    spec: str


def sample_results(plan: StudyPlan) -> list[SampledResult]:
    """The sample: conditions and mitigations of M4, trainings on the CPU, and evaluations of one of them."""
    found = [*_conditions(plan), *_mitigations(plan)]
    fine_tuned = _fine_tuned(plan)
    starts = [start for run in fine_tuned[:1] if (start := plan.start_of(run)) is not None]
    for kind, runs in {"pretraining": starts or _pretrained(plan), "fine-tuning": fine_tuned}.items():
        found += [_training(plan, kind, run) for run in runs]
    for run in fine_tuned[:1]:
        batch = replace(run, seed=0)
        folder = plan.path_of(paths.EVALUATE, batch)
        found.append(SampledResult("evaluation", batch.batch, (folder,), f"{folder}{paths.FOLDER_SPEC}"))
    return found


def _conditions(plan: StudyPlan) -> Iterator[SampledResult]:
    """The first condition by M4 of the first dataset that a table shows."""
    for table in plan.tables.values():
        for dataset in table.annotations:
            for balance in table.balances:
                if plan.configuration.balances[balance].kind == "m4":
                    folder = paths.CONDITION.format(study=plan.study, dataset=dataset, balance=balance)
                    files = tuple(f"{folder}/{name}" for name in ("keep.parquet", "audit.json", "dual.json"))
                    name = f"{dataset}, {balance}"
                    yield SampledResult("M4 condition", name, files, f"{folder}/spec.json")
                    return


def _mitigations(plan: StudyPlan) -> Iterator[SampledResult]:
    """The first mitigation of each kind in :data:`MITIGATIONS`."""
    wanted = list(MITIGATIONS)
    for grid in plan.tabular_grids:
        for batch in plan.tabular_batches(grid):
            kind = plan.configuration.mitigations[batch.method].kind
            if kind in wanted:
                wanted.remove(kind)
                folder = plan.path_of(paths.TABULAR, batch)
                files = (f"{folder}/metrics.json", f"{folder}/predictions.parquet")
                yield SampledResult("mitigation", batch.batch, files, f"{folder}/spec.json")


def _fine_tuned(plan: StudyPlan) -> list[Run]:
    """On the CPU: the first fine-tuning without a fairness loss, and the first with one."""
    runs = [run for run in _trained_on_cpu(plan) if isinstance(_method(plan, run), FinetuneMethod)]
    fair = [_method(plan, run).job_settings()["distance"] is not None for run in runs]
    return [runs[fair.index(wanted)] for wanted in (False, True) if wanted in fair]


def _pretrained(plan: StudyPlan) -> list[Run]:
    return [run for run in _trained_on_cpu(plan) if _method(plan, run).kind == "pretrain"][:1]


def _trained_on_cpu(plan: StudyPlan) -> list[Run]:
    """The first seed of every batch that is trained on the CPU."""
    return [
        plan.runs_of(batch)[0]
        for batch in plan.batches
        if plan.is_trained(batch) and plan.recipe_of(batch).gpus == 0
    ]


def _method(plan: StudyPlan, run: Run) -> Method:
    return plan.configuration.methods[run.method]


def _training(plan: StudyPlan, kind: str, run: Run) -> SampledResult:
    model, spec = (plan.path_of(template, run) for template in (paths.MODEL, paths.MODEL_SPEC))
    return SampledResult(kind, run.key, (model,), spec)
