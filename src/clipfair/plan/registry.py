"""config.yaml -> checked, frozen values; grids -> runs.

The schema (workflow/schemas/config.schema.yaml) says which keys exist; the checks here say
whether what they name exists and agrees. Everything is checked before Snakemake plans a job,
and every error is one line that names the known values.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from clipfair.core import paths
from clipfair.core.catalogue import Dataset, Expected, load_catalogue
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.core.provenance import settings_digest
from clipfair.core.schema import check_schema, unknown
from clipfair.plan.fairclip_switches import read_fairness, read_switches
from clipfair.plan.training_plan import NONE, Runs, make_runs
from clipfair.plan.training_plan import Grid as TrainingGrid

SOURCE = Path(__file__).parents[1]
SCHEMA = paths.ROOT / "workflow/schemas/config.schema.yaml"
PAPERS = {"m4": "CLIP the Bias", "fairclip": "On the Reproducibility of FairCLIP"}
ID = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class Task:
    """A prediction task on a table: predict ``label``, compare the groups of ``sensitive``.

    ``published`` is the dataset's name in the published table, None where the paper has no such task.
    """

    dataset: str
    label: str
    sensitive: str
    published: str | None


@dataclass(frozen=True)
class Mitigation:
    """A bias mitigation method: its module, its settings, the published row beside it."""

    kind: str
    settings: Mapping[str, float | str | bool]
    published: str | None


@dataclass(frozen=True)
class Grid:
    """Every mitigation on every task, each with all seeds."""

    tasks: tuple[str, ...]
    classifier: str
    mitigations: tuple[str, ...]
    test_share: float
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A table of a paper: its builder, the grid it reads, the published table beside it."""

    builder: str
    figure: str
    grid: str
    published: str


@dataclass(frozen=True)
class Generated:
    """A dataset made here: a part of the embedded world in the format of ``like``."""

    part: str
    like: str
    seed: int
    settings: Mapping


@dataclass(frozen=True)
class Annotation:
    """How a dataset is annotated.

    ``source`` is ``pairs`` (shards, both modalities), ``captions`` (text alone) or ``labels`` (the
    prepared table is the annotation). What does not apply to a source is empty.
    """

    dataset: str
    source: str
    vocabularies: tuple[str, ...]
    shards: int
    encoder: Mapping
    annotator: Mapping
    max_bad_share: float


@dataclass(frozen=True)
class Balance:
    """A condition: which examples of an annotated dataset are trained on.

    ``within`` is another condition, to whose examples it is confined; None for all.
    """

    kind: str
    settings: Mapping
    seed: int
    within: str | None = None


@dataclass(frozen=True)
class DataTable:
    """A table about the data, for which the paper prints no numbers to compare."""

    builder: str
    figure: str | None
    annotations: tuple[str, ...]
    balances: tuple[str, ...]
    datasets: tuple[str, ...]
    searches: tuple[str, ...] = ()

    def without(self, gone: set[str], annotations: Mapping[str, Annotation]) -> "DataTable":
        """Less some datasets, if each of its rows or columns is of one dataset; else the same."""
        if self.builder not in ("datasets", "human_mentions", "conditions"):
            return self
        return replace(
            self,
            annotations=tuple(name for name in self.annotations if annotations[name].dataset not in gone),
            datasets=tuple(name for name in self.datasets if name not in gone),
        )


@dataclass(frozen=True)
class Registry:
    """The checked configuration of one study."""

    study: str
    mirror: str
    missing_data: str
    subset: tuple[str, ...]
    stand_ins: Mapping[str, str]
    scratch: str
    datasets: Mapping[str, Dataset]
    tasks: Mapping[str, Task]
    classifiers: Mapping[str, Mapping]
    mitigations: Mapping[str, Mitigation]
    grids: Mapping[str, Grid]
    tables: Mapping[str, Table]
    generated: Mapping[str, Generated]
    annotations: Mapping[str, Annotation]
    balances: Mapping[str, Balance]
    data_tables: Mapping[str, DataTable]
    runs: Runs
    study_tables: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def batches(self, grid: str) -> list[Run]:
        """Every batch of a grid (its runs less their seeds), in the order of its lists."""
        chosen = self.grids[grid]
        tasks = [self.tasks[name] for name in chosen.tasks]
        return [
            Run(dataset=task.dataset, model=chosen.classifier, method=method, attr=task.sensitive)
            for task in tasks
            for method in chosen.mitigations
        ]

    def grid_of(self, batch: Run) -> str:
        """The grid of this study that a batch belongs to."""
        for grid in self.grids_of_study():
            if batch in self.batches(grid):
                return grid
        raise UserError(f"study {self.study!r} has no run {batch.batch}; add it to a grid in config.yaml")

    def mitigation_settings(self, batch: Run) -> dict:
        """All that the registry says of one batch of repeats, and nothing of the others."""
        [task] = [
            task
            for task in self.tasks.values()
            if (task.dataset, task.sensitive) == (batch.dataset, batch.attr)
        ]
        method = self.mitigations[batch.method]
        grid = self.grids[self.grid_of(batch)]
        return {
            "dataset": batch.dataset,
            "version": self.datasets[batch.dataset].version,
            "label": task.label,
            "sensitive": task.sensitive,
            "method": batch.method,
            "kind": method.kind,
            "settings": dict(method.settings),
            "classifier": dict(self.classifiers[batch.model]),
            "test_share": grid.test_share,
            "seeds": list(grid.seeds),
        }

    def grids_of_study(self) -> list[str]:
        """The grids that this study's tables read, each once, in their order."""
        return list(
            dict.fromkeys(self.tables[table].grid for table in self.study_tables if table in self.tables)
        )

    def datasets_needed(self) -> dict[str, list[str]]:
        """The datasets of this study -> the tables that are made from each."""
        needed: dict[str, list[str]] = {}
        for table in self.study_tables:
            for dataset in self.datasets_of(table):
                needed.setdefault(dataset, []).append(table)
        return needed

    def datasets_of(self, table: str) -> list[str]:
        """The datasets that a table is made from."""
        if table in self.runs.tables:
            return self.runs.datasets_of(table)
        if table in self.tables:
            return [self.tasks[task].dataset for task in self.grids[self.tables[table].grid].tasks]
        entry = self.data_tables[table]
        searched = [self.runs.searched_run(name).dataset for name in entry.searches]
        return [*(self.annotations[name].dataset for name in entry.annotations), *entry.datasets, *searched]

    def without(self, datasets: Iterable[str]) -> "Registry":
        """This study less every task on ``datasets``, and less the tables that then have none."""
        gone = set(datasets)
        runs = self.runs.without(gone)
        grids = {
            name: replace(
                grid, tasks=tuple(task for task in grid.tasks if self.tasks[task].dataset not in gone)
            )
            for name, grid in self.grids.items()
        }
        rest = replace(
            self,
            grids=grids,
            runs=runs,
            data_tables={
                name: table.without(gone, self.annotations) for name, table in self.data_tables.items()
            },
            left_out=tuple(sorted(gone)),
        )

        def is_kept(table: str) -> bool:
            if table in self.runs.tables:
                return table in runs.study_tables
            if table in self.tables:
                return bool(grids[self.tables[table].grid].tasks)
            left = rest.datasets_of(table)
            return bool(left) and not gone & set(left)

        kept = tuple(table for table in self.study_tables if is_kept(table))
        return replace(rest, study_tables=kept)

    def loader_settings(self, dataset: str) -> dict:
        """What decides a prepared table besides the files and the code: what is checked against."""
        entry = self.datasets[dataset]
        return {
            "dataset": dataset,
            "version": entry.version,
            "format": entry.format_id,
            # A dataset made here has its format's loader, not its counts.
            "subset": dataset in self.subset or dataset in self.generated,
            "expected": asdict(entry.expected),
        }

    def records(self, table: str) -> list[str]:
        """The metrics files that a table of this study is made from."""
        return [
            f"{paths.TABULAR}/metrics.json".format(study=self.study, **asdict(run))
            for run in self.batches(self.tables[table].grid)
        ]

    def table_settings(self, table: str) -> dict:
        """The rows and columns of a table, in order, and the published table it is held against."""
        entry = self.tables[table]
        grid = self.grids[entry.grid]
        return {
            "table": table,
            "builder": entry.builder,
            "published": entry.published.split("/")[1],
            "tasks": {task: asdict(self.tasks[task]) for task in grid.tasks},
            "rows": {method: self.mitigations[method].published for method in grid.mitigations},
            "seeds": list(grid.seeds),
            "incomparable": self.incomparable(table),
        }

    def table_files(
        self, suffix: str, *, named: str | None = None, among: Iterable[str] | None = None
    ) -> list[str]:
        """The files ``<table><suffix>`` of this study: of all its tables, of those called ``named``, or
        of those ``among`` some."""
        tables = self.study_tables if among is None else among
        return [
            f"{paths.TABLE}{suffix}".format(study=self.study, paper=paper, table=name)
            for paper, name in (table.split("/") for table in tables)
            if named in (None, name)
        ]

    def figure_of(self, table: str) -> str | None:
        """The module that draws a table, None if it is not drawn."""
        return (self.tables | self.data_tables | self.runs.tables)[table].figure

    def paper_title(self, paper: str) -> str:
        """What the report calls a paper's part of the results."""
        return PAPERS[paper]

    def compared_tables(self) -> list[str]:
        """The tables of this study that stand beside a published one."""
        compared = {*self.tables, *self.runs.compared_tables()}
        return [table for table in self.study_tables if table in compared]

    def figure_data_suffix(self, table: str) -> str:
        """Which file of a table is drawn: the comparison, where there is one, has the published points."""
        compared = (*self.tables, *self.runs.compared_tables())
        return ".compare.csv" if table in compared else ".csv"

    def annotation_of(self, dataset: str) -> Annotation:
        """How ``dataset`` is annotated."""
        for annotation in self.annotations.values():
            if annotation.dataset == dataset:
                return annotation
        raise UserError(f"config.annotations: none is of dataset {dataset!r}; add one")

    def raw_of(self, dataset: str) -> str:
        """The folder of a dataset's files."""
        return paths.RAW.format(dataset=dataset, version=self.datasets[dataset].version)

    def prepared_of(self, dataset: str) -> str:
        """The prepared table of a dataset."""
        return paths.PREPARED_TABLE.format(dataset=dataset, version=self.datasets[dataset].version)

    def shards_of(self, dataset: str, template: str) -> list[str]:
        """``template`` (with {shard}, and where wanted {study} and {dataset}) for every annotated shard."""
        names = (f"{index:05d}" for index in range(self.annotation_of(dataset).shards))
        return [template.format(study=self.study, dataset=dataset, shard=name) for name in names]

    def annotation_files(self, dataset: str) -> list[str]:
        """The annotations that a condition is made from."""
        source = self.annotation_of(dataset).source
        if source == "labels":
            return [self.prepared_of(dataset)]
        if source == "captions":
            return [paths.CAPTION_ANNOTATIONS.format(study=self.study, dataset=dataset)]
        return self.shards_of(dataset, paths.SHARD_ANNOTATIONS)

    def rewritten_files(self, dataset: str, balance: str) -> list[str]:
        """The rewritten captions that a condition is made from, if it rewrites any."""
        rewrites = self.balances[balance].kind == "neutralise"
        return self.shards_of(dataset, paths.SHARD_NEUTRAL) if rewrites else []

    def within_file(self, dataset: str, balance: str) -> list[str]:
        """The keep-list that a condition is confined to, if it is to one."""
        within = self.balances[balance].within
        return [paths.KEEP.format(study=self.study, dataset=dataset, balance=within)] if within else []

    def encoder_of(self, dataset: str) -> str:
        """The file of the encoder that annotates a dataset: fetched weights, or one fitted to the dataset."""
        encoder = self.annotation_of(dataset).encoder
        if encoder.get("kind") == "clip":
            return self.runs.fetched_weights(encoder["model"])
        return paths.ENCODER.format(study=self.study, dataset=dataset)

    def annotation_settings(self, dataset: str) -> dict:
        """All that decides the annotations of a dataset besides the files and the code."""
        settings = asdict(self.annotation_of(dataset))
        if settings["encoder"].get("kind") == "clip":
            settings["encoder"]["model"] = dict(self.runs.models[settings["encoder"]["model"]])
        return settings

    def annotation_gpus(self, dataset: str) -> int:
        """The GPUs that annotating a shard asks for: one if its encoder may run on one."""
        return int(self.annotation_of(dataset).encoder.get("device", "cpu") != "cpu")

    def data_kind(self, table: str) -> str:
        """The kind of a table's data: ``synthetic``, ``real`` or both; ``, partial`` if one is a subset."""
        datasets = self.datasets_of(table)
        is_synthetic = {name in self.generated for name in datasets}
        kind = " and ".join(
            word for word, flag in (("synthetic", True), ("real", False)) if flag in is_synthetic
        )
        return f"{kind}, partial" if set(datasets) & set(self.subset) else kind

    def notes(self, table: str) -> list[str]:
        """What a reader of the table must know about its data, one sentence each."""
        datasets = list(dict.fromkeys(self.datasets_of(table)))
        synthetic = [name for name in datasets if name in self.generated]
        real = [name for name in datasets if name not in self.generated]
        partial = [name for name in datasets if name in self.subset]
        notes = []
        if synthetic:
            names = ", ".join(synthetic)
            notes.append(f"Synthetic data with planted biases; not comparable with the paper: {names}.")
        if real:
            notes.append(f"Real data: {', '.join(real)}.")
        notes += [f"The dataset {ours} is used instead of {named}." for named, ours in self.stood_in(table)]
        if partial:
            notes.append(f"Partial data (subset); not comparable with the paper: {', '.join(partial)}.")
        if self.left_out:
            notes.append(f"Left out of this study (missing data): {', '.join(self.left_out)}.")
        return notes

    def stood_in(self, table: str) -> list[tuple[str, str]]:
        """The datasets of the paper that this study replaces, each with the dataset used instead."""
        named = {name: ours for name, ours in self.stand_ins.items() if ours in self.datasets_of(table)}
        return [(self.datasets[name].title, ours) for name, ours in named.items()]

    def incomparable(self, table: str) -> str:
        """The reason why no value of a table is comparable with a published one; empty if there is none."""
        kind = self.data_kind(table)
        if "synthetic" in kind:
            return "synthetic data"
        if "partial" in kind:
            return "partial data"
        return "; ".join(f"{ours} instead of {named}" for named, ours in self.stood_in(table))

    def run_table_settings(self, table: str) -> dict:
        """The settings of the builder of a table of trained models."""
        return {**self.runs.table_settings(table), "incomparable": self.incomparable(table)}

    def train_settings(self, run: Run) -> dict:
        """All that decides a trained model besides the files and the code."""
        return {**self.runs.train_settings(run), "version": self.datasets[run.dataset].version}

    def search_settings(self, search: str) -> dict:
        """All that decides the trials of a search besides the files and the code."""
        settings = self.runs.search_settings(search)
        version = self.datasets[self.runs.searched_run(search).dataset].version
        return {**settings, "training": {**settings["training"], "version": version}}

    def evaluated_tables(self, batch: Run) -> dict[str, dict[str, str]]:
        """The datasets that a batch is evaluated on: id -> prepared table and folder of the files."""
        lines = self.runs.evaluations_of(batch).values()
        names = dict.fromkeys(line["dataset"] for line in lines)
        return {name: {"table": self.prepared_of(name), "raw": self.raw_of(name)} for name in names}

    def data_table_arguments(self, table: str) -> dict[str, object]:
        """The files that a table about the data is made from, by its builder's parameters."""
        entry = self.data_tables[table]
        datasets = [self.annotations[name].dataset for name in entry.annotations]
        first = next(iter(datasets), "")

        def of_conditions(template: str) -> list[str]:
            return [
                template.format(study=self.study, dataset=dataset, balance=balance)
                for dataset in datasets
                for balance in entry.balances
            ]

        audits = of_conditions(paths.AUDIT)
        if entry.searches:
            of = {name: self.runs.search_file(paths.SEARCH_TRIALS, name) for name in entry.searches}
            return {"searches": of}
        if entry.datasets:
            return {"tables": {name: self.prepared_of(name) for name in entry.datasets}}
        by_builder = {
            "annotation_examples": {
                "annotations": self.annotation_files(first),
                "shards": self.shards_of(first, f"{self.raw_of(first)}/{paths.SHARDS}/{{shard}}.tar"),
            },
            "annotation_quality": {
                "record": paths.ANNOTATION_QUALITY.format(study=self.study, dataset=first)
            },
            "conditions": {"audits": audits},
            "group_distributions": {"audit": "".join(audits[:1])},
            "human_mentions": {"caption_sets": {name: self.annotation_files(name)[0] for name in datasets}},
            "object_labels": {
                "annotations": self.annotation_files(first),
                "keep_lists": of_conditions(paths.KEEP),
            },
            "proxies": {"annotations": self.annotation_files(first)},
        }
        return by_builder[entry.builder]

    def data_table_inputs(self, table: str) -> list[str]:
        """The same as a list of what must be made first; of shards that is the folder they lie in."""
        arguments = self.data_table_arguments(table)
        shards = arguments.pop("shards", None)
        files = [] if shards is None else [str(Path(shards[0]).parents[1])]
        for value in arguments.values():
            files += (
                [value]
                if isinstance(value, str)
                else list(value.values() if isinstance(value, dict) else value)
            )
        return files

    def targets(self) -> list[str]:
        """Everything this study builds."""
        drawn = [name for name in self.study_tables if self.figure_of(name)]
        files = [*self.table_files(".md"), *self.table_files(".svg", among=drawn)]
        if files:
            files.append(paths.PAGES.format(study=self.study))
        if self.table_files("", named="table5"):
            files.append(paths.TABLE5)
        if self.compared_tables():
            files.append(paths.METRICS)
        return [*files, *self.runs.model_cards()]


def _with_generated(
    datasets: Mapping[str, Dataset], generated: Mapping[str, Generated]
) -> dict[str, Dataset]:
    """The catalogue and, as entries like those of the formats they have, the datasets made here."""
    made = {}
    for name, entry in generated.items():
        where = f"config.generated.{name}"
        _known(f"{where}.like", "dataset", entry.like, datasets)
        if name in datasets:
            raise UserError(f"{where}: {name!r} is a dataset of resources/datasets.yaml; give it another id")
        made[name] = replace(
            datasets[entry.like],
            id=name,
            title=f"embedded world, {entry.part}",
            version=settings_digest({"part": entry.part, "seed": entry.seed, **entry.settings}),
            access="generated",
            how_to_get=None,
            archives=(),
            layouts=(),
            expected=Expected(),
            like=entry.like,
        )
    return {**datasets, **made}


def load_registry(config: Mapping) -> Registry:
    """Check ``config`` and freeze it.

    Parameters
    ----------
    config
        What Snakemake made of config.yaml, --configfile and --config.

    Raises
    ------
    UserError
        One line: which key, what is wrong, which values are known.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    check_schema(config, schema, where="config")
    _check_numbers(config, "config")
    registry = _freeze(config, load_catalogue(paths.CATALOGUE))
    _check_names(registry, config)
    return registry


def canonical_number(value: int | float | str) -> str:
    """The one spelling of a number in paths and catalogues: ``0.05``, ``1``, ``1e-7``.

    Decimal notation down to 1e-4 and up to 1e6, exponents without padding beyond.

    Raises
    ------
    ValueError
        If ``value`` is not a finite number.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    if number == 0:
        return "0"
    if Decimal("1e-4") <= abs(number) < Decimal("1e6"):
        return f"{number.normalize():f}"
    digits, _, exponent = f"{number.normalize():e}".partition("e")
    return f"{digits}e{int(exponent)}"


def _check_numbers(value: object, where: str) -> None:
    """Refuse a string that holds a number in another than its canonical spelling."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_numbers(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_numbers(item, f"{where}[{index}]")
    elif isinstance(value, str):
        try:
            canonical = canonical_number(value)
        except ValueError:
            return
        if canonical != value:
            raise UserError(f"{where}: the number {value!r} is spelt {canonical} here; write it so")


def _freeze(config: Mapping, datasets: Mapping[str, Dataset]) -> Registry:
    study = config["study"]
    _known("config.study", "study", study, config["studies"])
    generated = {name: Generated(**entry) for name, entry in config["generated"].items()}
    return Registry(
        study=study,
        mirror=config["mirror"],
        missing_data=config["missing_data"],
        subset=tuple(config["subset"]),
        stand_ins=config["stand_ins"],
        scratch=config["scratch"],
        datasets=_with_generated(datasets, generated),
        tasks={name: Task(**entry) for name, entry in config["tasks"].items()},
        classifiers={name: _numbers(entry) for name, entry in config["classifiers"].items()},
        mitigations={name: _mitigation(entry) for name, entry in config["mitigations"].items()},
        grids={
            name: Grid(
                tasks=tuple(entry["tasks"]),
                classifier=entry["classifier"],
                mitigations=tuple(entry["mitigations"]),
                test_share=entry["test_share"],
                seeds=tuple(entry["seeds"]),
            )
            for name, entry in config["grids"].items()
        },
        tables={name: Table(**entry) for name, entry in config["tables"].items()},
        generated=generated,
        annotations={
            name: Annotation(**{**entry, "vocabularies": tuple(entry["vocabularies"])})
            for name, entry in config["annotations"].items()
        },
        balances={name: _balance(entry) for name, entry in config["balances"].items()},
        data_tables={
            name: DataTable(
                builder=entry["builder"],
                figure=entry["figure"],
                annotations=tuple(config["stand_ins"].get(name, name) for name in entry["annotations"]),
                balances=tuple(entry["balances"]),
                datasets=tuple(entry.get("datasets", ())),
                searches=tuple(entry.get("searches", ())),
            )
            for name, entry in config["data_tables"].items()
        },
        runs=make_runs(
            {**config, **{key: _numbers(config[key]) for key in ("recipes", "methods")}},
            config["studies"][study],
        ),
        study_tables=tuple(config["studies"][study]),
    )


def _balance(entry: Mapping) -> Balance:
    settings = {key: value for key, value in entry.items() if key not in ("kind", "seed", "within")}
    return Balance(entry["kind"], settings, entry["seed"], entry.get("within"))


def _mitigation(entry: Mapping) -> Mitigation:
    settings = {key: value for key, value in entry.items() if key not in ("kind", "published")}
    return Mitigation(kind=entry["kind"], settings=_numbers(settings), published=entry["published"])


def _numbers(settings: Mapping) -> dict:
    """The settings with strings that hold numbers (``1e-7``) as numbers, at any depth."""
    return {key: _number(value) for key, value in settings.items()}


def _number(value: object) -> object:
    if isinstance(value, Mapping):
        return _numbers(value)
    if not isinstance(value, str):
        return value
    try:
        return float(canonical_number(value))
    except ValueError:
        return value


def _check_names(registry: Registry, config: Mapping) -> None:
    _check_ids(registry)
    _unique("config.subset", registry.subset)
    for name in registry.subset:
        _known("config.subset", "dataset", name, registry.datasets)
    _check_tasks(registry)
    _check_mitigations(registry)
    for name, grid in registry.grids.items():
        _check_grid(f"config.grids.{name}", grid, registry)
    for name, table in registry.tables.items():
        _check_table(name, table, registry)
    _check_batches(registry)
    for name, annotation in registry.annotations.items():
        _known(f"config.annotations.{name}.dataset", "dataset", annotation.dataset, registry.datasets)
        if annotation.encoder.get("kind") == "clip":
            fetched = registry.runs.fetched_models()
            _known(f"config.annotations.{name}.encoder.model", "model", annotation.encoder["model"], fetched)
    for name, table in registry.data_tables.items():
        _check_data_table(name, table, registry)
    for study, tables in config["studies"].items():
        _unique(f"config.studies.{study}", tables)
        for table in tables:
            known = {**registry.tables, **registry.data_tables, **registry.runs.tables}
            _known(f"config.studies.{study}", "table", table, known)
    for study in config["training"]:
        _known("config.training", "study", study, config["studies"])
    for named, ours in registry.stand_ins.items():
        for name in (named, ours):
            _known("config.stand_ins", "dataset", name, registry.datasets)
    _check_runs(registry)


def _check_ids(registry: Registry) -> None:
    """Ids become levels of paths: lower case, digits, dots and dashes."""
    runs = registry.runs
    catalogues = {
        "classifiers": registry.classifiers,
        "mitigations": registry.mitigations,
        "models": runs.models,
        "methods": runs.methods,
        "evaluations": runs.evaluations,
        "schedules": runs.schedules,
        "balances": registry.balances,
    }
    for catalogue, names in catalogues.items():
        for name in names:
            if not ID.fullmatch(name):
                raise UserError(f"config.{catalogue}: the id {name!r} may only have a-z, 0-9, '.' and '-'")


def _check_tasks(registry: Registry) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, task in registry.tasks.items():
        where = f"config.tasks.{name}"
        _known(f"{where}.dataset", "dataset", task.dataset, registry.datasets)
        dataset = registry.datasets[task.dataset]
        _known(f"{where}.sensitive", f"attribute of {task.dataset}", task.sensitive, dataset.attributes)
        _known(f"{where}.label", f"label of {task.dataset}", task.label, dataset.labels)
        twin = seen.setdefault((task.dataset, task.sensitive), name)
        if twin != name:
            raise UserError(f"{where}: task {twin!r} already has this dataset and attribute")


def _check_mitigations(registry: Registry) -> None:
    kinds = _modules("tabular/methods")
    seen: dict[tuple, str] = {}
    for name, method in registry.mitigations.items():
        where = f"config.mitigations.{name}"
        _known(f"{where}.kind", "kind", method.kind, kinds)
        twin = seen.setdefault((method.kind, tuple(sorted(method.settings.items()))), name)
        if twin != name:
            raise UserError(f"{where}: says the same as {twin!r}; one method has one id")


def _check_grid(where: str, grid: Grid, registry: Registry) -> None:
    _known(f"{where}.classifier", "classifier", grid.classifier, registry.classifiers)
    for task in grid.tasks:
        _known(f"{where}.tasks", "task", task, registry.tasks)
    for method in grid.mitigations:
        _known(f"{where}.mitigations", "mitigation", method, registry.mitigations)
    for key in ("tasks", "mitigations", "seeds"):
        _unique(f"{where}.{key}", getattr(grid, key))


def _check_batches(registry: Registry) -> None:
    """One path is one result: two grids may share a batch only if they repeat it alike."""
    seen: dict[Run, str] = {}
    for grid in registry.grids_of_study():
        for batch in registry.batches(grid):
            twin = seen.setdefault(batch, grid)
            if _repeats(registry.grids[twin]) != _repeats(registry.grids[grid]):
                raise UserError(
                    f"config.grids.{grid}: repeats {batch.batch} otherwise than grid {twin!r} does; "
                    "give both the same seeds and test_share"
                )


def _repeats(grid: Grid) -> tuple:
    return (grid.seeds, grid.test_share)


def _check_table(name: str, table: Table, registry: Registry) -> None:
    where = f"config.tables.{name}"
    _known(f"{where}.builder", "builder", table.builder, _builders(name))
    _known(f"{where}.figure", "figure", table.figure, _figures(name))
    _known(f"{where}.grid", "grid", table.grid, registry.grids)


def _check_data_table(name: str, table: DataTable, registry: Registry) -> None:
    where = f"config.data_tables.{name}"
    _known(f"{where}.builder", "builder", table.builder, _builders(name))
    if table.figure is not None:
        _known(f"{where}.figure", "figure", table.figure, _figures(name))
    for dataset in table.datasets:
        _known(f"{where}.datasets", "dataset", dataset, registry.datasets)
    for annotation in table.annotations:
        _known(f"{where}.annotations", "annotation", annotation, registry.annotations)
    for balance in table.balances:
        _known(f"{where}.balances", "balance", balance, registry.balances)


def _check_runs(registry: Registry) -> None:
    runs = registry.runs
    for name, balance in registry.balances.items():
        if balance.within is not None:
            _known(f"config.balances.{name}.within", "condition", balance.within, registry.balances)
    for name, stages in runs.schedules.items():
        where = f"config.schedules.{name}"
        if name in registry.balances:
            raise UserError(f"{where}: {name!r} is a condition in config.balances; give it another id")
        for balance, _ in stages:
            _known(where, "condition", balance, registry.balances)
        if sum(Decimal(str(share)) for _, share in stages) != 1:
            raise UserError(f"{where}: the shares add up to {sum(share for _, share in stages)}; expected 1")
    for name, line in runs.models.items():
        tower = (line.get("weights") or {}).get("tower")
        if tower is not None:
            _known(f"config.models.{name}.weights.tower", "model", tower, runs.fetched_models())
    for name, line in runs.evaluations.items():
        _known(f"config.evaluations.{name}.dataset", "dataset", line["dataset"], registry.datasets)
    for name, grid in runs.grids.items():
        _check_training_grid(f"config.training.{runs.study}.{name}", grid, registry)
    for name, table in runs.tables.items():
        where = f"config.run_tables.{name}"
        _known(f"{where}.builder", "builder", table.builder, _builders(name))
        if table.figure is not None:
            _known(f"{where}.figure", "figure", table.figure, _figures(name))
        if name in runs.study_tables:
            for grid in table.grids:
                _known(f"{where}.grids", f"grid of study {runs.study}", grid, runs.grids)
    for batch, grids in runs.batches.items():
        recipes = {grid.recipe for grid in grids}
        if len(recipes) > 1:
            raise UserError(
                f"config.training: {batch.batch} is trained by two recipes ({', '.join(sorted(recipes))}); "
                "give its grids the same one"
            )
        _check_fairness(runs.train_settings(batch))
    for name in runs.searches:
        _check_search(name, registry)
    for table in registry.study_tables:
        entry, where = registry.data_tables.get(table), f"config.data_tables.{table}.searches"
        for name in entry.searches if entry else ():
            _known(where, f"search of study {runs.study}", name, runs.searches)


def _check_search(name: str, registry: Registry) -> None:
    runs, where = registry.runs, f"config.searches.{registry.study}.{name}"
    _known(f"{where}.recipe", "recipe", runs.searches[name]["recipe"], runs.recipes)
    run = runs.searched_run(name)
    for level, known in {"dataset": registry.datasets, "model": runs.models, "method": runs.methods}.items():
        _known(f"{where}.run.{level}", level, getattr(run, level), known)
    _check_fairness(runs.search_settings(name)["training"])


def _check_fairness(training: Mapping) -> None:
    """A fine-tuning's attribute and λ are those of its method, and its recipe names the attributes."""
    if training["method"]["kind"] != "finetune":
        return
    run, recipe = Run(**training["run"]), training["recipe"]
    if "attributes" not in recipe:
        raise UserError(
            f"{run.batch}: method {run.method!r} fine-tunes, which its recipe is not for; give it one with "
            "epochs, label and attributes"
        )
    read_fairness(read_switches(training["method"]["settings"]), run, recipe["attributes"])


def _check_training_grid(where: str, grid: TrainingGrid, registry: Registry) -> None:
    runs = registry.runs
    _known(f"{where}.dataset", "dataset", grid.dataset, registry.datasets)
    _known(f"{where}.recipe", "recipe", grid.recipe, runs.recipes)
    catalogues = {
        "balances": {NONE, *registry.balances, *runs.schedules},
        "models": runs.models,
        "methods": runs.methods,
        "evaluations": runs.evaluations,
    }
    for key, known in catalogues.items():
        for name in getattr(grid, key):
            _known(f"{where}.{key}", key.rstrip("s"), name, known)
    for key in (*catalogues, "attrs", "lams", "seeds"):
        _unique(f"{where}.{key}", getattr(grid, key))
    for lam in grid.lams:
        try:
            negative = Decimal(canonical_number(lam)) < 0
        except ValueError:
            raise UserError(f"{where}.lams: {lam!r} is not a number; expected one such as 1e-7") from None
        if negative:
            raise UserError(f"{where}.lams: {lam} is negative; expected 0 or more")


def _builders(table: str) -> list[str]:
    """The builders of a table's paper; the module ``<name>_figure`` beside one draws it."""
    return [name for name in _modules(f"tables/{table.split('/')[0]}") if not name.endswith("_figure")]


def _figures(table: str) -> list[str]:
    modules = _modules(f"tables/{table.split('/')[0]}")
    return [name.removesuffix("_figure") for name in modules if name.endswith("_figure")]


def _modules(folder: str) -> list[str]:
    return sorted(path.stem for path in SOURCE.joinpath(folder).glob("*.py") if path.stem != "__init__")


def _known(where: str, what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise UserError(f"{where}: {unknown(what, value, known)}")


def _unique(where: str, values: Iterable) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise UserError(f"{where}: {value!r} is listed twice")
        seen.add(value)
