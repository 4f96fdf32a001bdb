"""Jobs that build tables and draw figures: everything that their rules ask for, by table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from clipfair.core import paths
from clipfair.core.code_digest import code_closure, code_digest
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.core.provenance import settings_digest
from clipfair.data.embedded.world import make_settings
from clipfair.plan import analysis_plan
from clipfair.plan.baselines import baselines_of
from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.data_jobs import annotation_job, shard_paths
from clipfair.plan.data_needed import datasets_of
from clipfair.plan.evaluation_jobs import evaluation_settings, record_folders
from clipfair.plan.published import published_file
from clipfair.plan.questions import question_settings
from clipfair.plan.search_jobs import search_file
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.table_checks import printed_name
from clipfair.plan.tabular_jobs import tabular_records


@dataclass(frozen=True)
class TableJob:
    """One table and its figure.

    Attributes
    ----------
    builder, figure : its module, and the one that draws it (empty: not drawn).
    settings : what the builder of a table of runs takes.
    records : the records of runs that it is made from: files of mitigations, folders of evaluations.
    epochs : key of a run -> the file of its epochs, if the table needs them.
    arguments : the files that a table about data or searches is made from, by the builder's parameters.
    inputs : the same as a list of what must be made first; of shards, the sha256 of the raw data.
    raw : the folders of raw data that it reads.
    published : the file of the published table that it is compared with, relative to the repository, if any.
    data : the kind of its data, ``synthetic``, ``real`` or both; ``, partial`` if one is a subset.
    notes : what a reader must know about its data, one sentence each.
    """

    builder: str
    figure: str
    settings: Mapping
    records: list[str]
    epochs: Mapping[str, str]
    arguments: Mapping[str, object]
    inputs: list[str]
    raw: list[str]
    published: list[str]
    data: str
    notes: list[str]

    @property
    def modules(self) -> list[str]:
        """The code of the builder."""
        paper = self.settings["table"].split("/")[0]
        records = ["clipfair.tables.common.records"] if self.specs else []
        return [f"clipfair.tables.{paper}.{self.builder}", "clipfair.tables.common.table_files", *records]

    @property
    def code(self) -> str:
        """The digest of that code; where it judges claims, also of what the analysis plan decides by."""
        digest = code_digest(*self.modules)
        if analysis_plan.__name__ not in code_closure(*self.modules):
            return digest
        return f"{digest}-{settings_digest(analysis_plan.read_analysis_plan().judgement)}"

    @property
    def specs(self) -> list[str]:
        """The spec of each folder of records; records of mitigations are files."""
        folders = [record for record in self.records if not record.endswith(".json")]
        return [f"{folder}{paths.FOLDER_SPEC}" for folder in folders]

    @property
    def drawn_file(self) -> str:
        """The file of a table that is drawn: the comparison, if there is one, since it has the published
        points."""
        return ".compare.csv" if self.published else ".csv"


@cache
def table_job(plan: StudyPlan, name: str) -> TableJob:
    """The job of one table.

    Raises
    ------
    UserError
        If the study does not have it.
    """
    if name not in plan.tables:
        raise UserError(f"study {plan.study!r} has no table {name!r}; add it to studies.{plan.study}.tables")
    table = plan.tables[name]
    arguments = {} if table.grids else _arguments(plan, table)
    return TableJob(
        builder=table.builder,
        figure=table.figure or "",
        settings=_settings(plan, name, table),
        records=_records(plan, table),
        epochs=_epochs(plan, table),
        arguments=arguments,
        inputs=_inputs(arguments),
        raw=_raw(arguments),
        published=[published_file(table.published)] if table.published else [],
        data=data_kind(plan, name),
        notes=data_notes(plan, name),
    )


def tables_reading(plan: StudyPlan, what: str) -> list[str]:
    """The tables of a study that read ``trained`` grids, ``tabular`` grids, or ``data``."""
    return [name for name, table in plan.tables.items() if _reads(plan, table) == what]


def _reads(plan: StudyPlan, table: Table) -> str:
    if not table.grids:
        return "data"
    return "tabular" if set(table.grids) <= plan.tabular_grids.keys() else "trained"


# --- tables of runs ---


def _records(plan: StudyPlan, table: Table) -> list[str]:
    if _reads(plan, table) == "tabular":
        return [record for grid in table.grids for record in tabular_records(plan, grid)]
    return [folder for batch in _batches(plan, table) for folder in record_folders(plan, batch)]


def _batches(plan: StudyPlan, table: Table) -> list[Run]:
    return list(dict.fromkeys(batch for grid in table.grids for batch in plan.grids[grid].batches))


def _epochs(plan: StudyPlan, table: Table) -> dict[str, str]:
    if "epochs" not in table.needs:
        return {}
    return {
        run.key: plan.path_of(paths.EPOCHS, run)
        for batch in _batches(plan, table)
        for run in plan.runs_of(batch)
        if plan.configuration.methods[run.method].kind == "finetune"
    }


def _settings(plan: StudyPlan, name: str, table: Table) -> dict:
    settings = {"table": name, "builder": table.builder, "incomparable": incomparable(plan, name)}
    settings["published"] = table.published.split("/")[1] if table.published else None
    reads = _reads(plan, table)
    if reads == "tabular":
        return settings | _tabular_settings(plan, table)
    if reads == "trained":
        settings |= _trained_settings(plan, table)
    return settings | question_settings(name, table, plan.configuration.generated)


def _tabular_settings(plan: StudyPlan, table: Table) -> dict:
    """The rows and columns of a table of mitigations, in order, with their names in the published table."""
    [grid] = [plan.tabular_grids[name] for name in table.grids]
    places = plan.published.get(table.published)
    rows = places.rows if places else {}
    variants = places.variants if places else {}
    datasets = places.datasets if places else {}
    tasks = {name: plan.configuration.tasks[name].job_settings() for name in grid.tasks}
    return {
        "tasks": {name: {**task, "published": datasets.get(name)} for name, task in tasks.items()},
        "rows": {name: rows.get(name) for name in grid.mitigations},
        "variants": {name: variants[name] for name in grid.mitigations if name in variants},
        "seeds": grid.seeds,
    }


def _trained_settings(plan: StudyPlan, table: Table) -> dict:
    """A table's own settings, its grids, and the entries that they name."""
    configuration = plan.configuration
    chosen = {name: plan.grids[name] for name in table.grids}
    return {
        "study": plan.study,
        "grids": {name: grid.model_dump() for name, grid in chosen.items()},
        "seeds": sorted({seed for grid in chosen.values() for seed in grid.seeds}),
        "models": {name: configuration.models[name].job_settings() for name in _named(chosen, "models")},
        "encoders": {name: configuration.models[name].name or name for name in _named_models(plan, chosen)},
        "schedules": {
            name: [list(stage) for stage in configuration.schedules[name]]
            for name in _named(chosen, "balances")
            if name in configuration.schedules
        },
        "evaluations": {
            name: evaluation_settings(configuration.evaluations[name])
            for name in _named(chosen, "evaluations")
        },
        "rows": _rows(plan, table, _named(chosen, "methods")),
        "baselines": baselines_of(table, configuration),
        **_published_places(plan, table),
        **_with_names(table.settings, plan),
        **_stereotype(plan, table),
    }


def _named(grids: Mapping[str, Grid], key: str) -> list[str]:
    return list(dict.fromkeys(name for grid in grids.values() for name in getattr(grid, key)))


def _named_models(plan: StudyPlan, grids: Mapping[str, Grid]) -> list[str]:
    """In the order of the catalogue."""
    named = _named(grids, "models")
    return [name for name in plan.configuration.models if name in named]


def _rows(plan: StudyPlan, table: Table, methods: list[str]) -> dict[str, dict[str, str]]:
    """Each method with its name in print and, where it has one, its row of the published table."""
    places = plan.published.get(table.published)
    published = places.rows | places.variants if places else {}
    rows = {}
    for name in methods if table.rows is None else table.rows:
        rows[name] = {"name": printed_name(name, table, plan.configuration)}
        if name in published:
            rows[name]["published"] = published[name]
    return rows


def _published_places(plan: StudyPlan, table: Table) -> dict[str, dict[str, str]]:
    places = plan.published.get(table.published)
    if places is None:
        return {}
    return {f"published_{key}": dict(value) for key, value in places.model_dump(exclude={"variants"}).items()}


def _stereotype(plan: StudyPlan, table: Table) -> dict[str, dict[str, float]]:
    """The planted association of each occupation with men in the synthetic data that a table checks.

    To three decimals, as docs/synthetic-data.md gives them.
    """
    if table.builder != "known_answers":
        return {}
    from clipfair.data.embedded.planted import planted_associations  # late: pandas

    [dataset] = {plan.grids[name].dataset for name in table.settings["biased"]}
    settings = make_settings("web", plan.configuration.generated[dataset].settings)
    planted = planted_associations(settings).set_index("attribute")["association"]
    prefix = "occupation="
    return {
        "stereotype": {
            name.removeprefix(prefix): round(float(value), 3)
            for name, value in planted.items()
            if name.startswith(prefix)
        }
    }


def _with_names(settings: object, plan: StudyPlan) -> object:
    """Settings in which the ids under ``shown``, at any depth, have the names of their evaluations."""
    if isinstance(settings, Mapping):
        return {
            key: _names(value, plan) if key == "shown" else _with_names(value, plan)
            for key, value in settings.items()
        }
    return [_with_names(item, plan) for item in settings] if isinstance(settings, list) else settings


def _names(evaluations: list[str], plan: StudyPlan) -> dict[str, str]:
    return {name: plan.configuration.evaluations[name].name or name for name in evaluations}


# --- tables about data and searches ---


def _arguments(plan: StudyPlan, table: Table) -> dict[str, object]:
    if table.searches:
        return {"searches": {name: search_file(plan, paths.SEARCH_TRIALS, name) for name in table.searches}}
    if table.builder in _ARGUMENTS:
        return _ARGUMENTS[table.builder](plan, table)
    return {"tables": {name: plan.prepared_of(name) for name in _draws(plan, table)}}


def _draws(plan: StudyPlan, table: Table) -> list[str]:
    """The datasets of a table about datasets, each draw of a family."""
    return [draw for name in table.datasets for draw in plan.members_of(name)]


def _of_conditions(plan: StudyPlan, table: Table, template: str) -> list[str]:
    return [
        template.format(study=plan.study, dataset=dataset, balance=balance)
        for dataset in table.annotations
        for balance in table.balances
    ]


def _annotations(plan: StudyPlan, table: Table) -> list[str]:
    return annotation_job(plan, table.annotations[0]).files


# Builder -> its parameters.
_ARGUMENTS = {
    "annotation_examples": lambda plan, table: {
        "annotations": _annotations(plan, table),
        "shards": shard_paths(plan, table.annotations[0]),
    },
    "annotation_quality": lambda plan, table: {
        "record": paths.ANNOTATION_QUALITY.format(study=plan.study, dataset=table.annotations[0])
    },
    "conditions": lambda plan, table: {"audits": _of_conditions(plan, table, paths.AUDIT)},
    "group_distributions": lambda plan, table: {"audit": _of_conditions(plan, table, paths.AUDIT)[0]},
    "human_mentions": lambda plan, table: {
        "caption_sets": {name: annotation_job(plan, name).files[0] for name in table.annotations}
    },
    "object_labels": lambda plan, table: {
        "annotations": _annotations(plan, table),
        "keep_lists": _of_conditions(plan, table, paths.KEEP),
    },
    "proxies": lambda plan, table: {"annotations": _annotations(plan, table)},
    "worlds": lambda plan, table: {
        "tables": {
            name: plan.prepared_of(name)
            for name in _draws(plan, table)
            if plan.datasets[name].kind != "pairs"
        },
        "raw": {name: plan.raw_of(name) for name in _draws(plan, table)},
    },
}


def _inputs(arguments: Mapping[str, object]) -> list[str]:
    files: list[str] = []
    for name, value in arguments.items():
        if name in ("shards", "raw"):
            files += map(paths.contents_of, _raw(arguments))
        elif isinstance(value, str):
            files.append(value)
        else:
            files += value.values() if isinstance(value, Mapping) else value
    return files


def _raw(arguments: Mapping[str, object]) -> list[str]:
    """The folders of raw data: those that are given, and that of the shards, if there are some."""
    shards = arguments.get("shards", [])[:1]
    of_shards = [shard.partition(f"/{paths.SHARDS}/")[0] for shard in shards]
    return [*arguments.get("raw", {}).values(), *of_shards]


# --- what a table says of its data ---


def data_kind(plan: StudyPlan, table: str) -> str:
    """The kind of a table's data: ``synthetic``, ``real`` or both; ``, partial`` if one is a subset."""
    datasets = datasets_of(plan, table)
    found = {plan.data_kind_of(name) for name in datasets}
    kind = " and ".join(word for word in ("synthetic", "real") if word in found)
    return f"{kind}, partial" if set(datasets) & set(plan.configuration.subset) else kind


def data_notes(plan: StudyPlan, table: str) -> list[str]:
    """Notes for readers of the table about its data, one sentence each."""
    datasets = datasets_of(plan, table)
    synthetic, real = (
        [name for name in datasets if plan.data_kind_of(name) == kind] for kind in ("synthetic", "real")
    )
    partial = [name for name in datasets if name in plan.configuration.subset]
    notes = []
    if synthetic:
        names = ", ".join(synthetic)
        notes.append(f"Synthetic data with planted biases; not comparable with the paper: {names}.")
    if real:
        notes.append(f"Real data: {', '.join(real)}.")
    notes += [f"The dataset {used} is used instead of {named}." for named, used in _replaced(plan, datasets)]
    if partial:
        notes.append(f"Partial data (subset); not comparable with the paper: {', '.join(partial)}.")
    if plan.left_out:
        notes.append(f"Left out of this study (missing data): {', '.join(plan.left_out)}.")
    return notes


def incomparable(plan: StudyPlan, table: str) -> str:
    """The reason why no value of a table is comparable with a published one; empty if there is none."""
    kind = data_kind(plan, table)
    if "synthetic" in kind:
        return "synthetic data"
    if "partial" in kind:
        return "partial data"
    replaced = _replaced(plan, datasets_of(plan, table))
    return "; ".join(f"{used} instead of {named}" for named, used in replaced)


def _replaced(plan: StudyPlan, datasets: list[str]) -> list[tuple[str, str]]:
    """The titles of the datasets that ``datasets`` are used instead of, each with that one."""
    stand_ins = plan.configuration.stand_ins.items()
    return [(plan.datasets[named].title, used) for named, used in stand_ins if used in datasets]
