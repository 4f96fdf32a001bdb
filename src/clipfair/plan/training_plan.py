"""Trained models: the catalogues and grids of config.yaml that say which, and what each is made from.

A grid crosses its lists; each combination is one :class:`clipfair.core.paths.Run`. Grids may share runs if
they train them alike; a run is then trained once, with the seeds and evaluations of all of them together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import product

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.vocabularies import spell_out

NONE = "none"


@dataclass(frozen=True)
class Grid:
    """Every combination of its lists, each with all seeds; each evaluated on all ``evaluations``.

    ``stands_in`` is the dataset that ``dataset`` is used in place of, None if it is the one that was named.
    """

    dataset: str
    balances: tuple[str, ...]
    models: tuple[str, ...]
    methods: tuple[str, ...]
    attrs: tuple[str, ...]
    lams: tuple[str, ...]
    recipe: str
    seeds: tuple[int, ...]
    evaluations: tuple[str, ...]
    stands_in: str | None = None

    @cached_property
    def batches(self) -> tuple[Run, ...]:
        """Its runs less their seeds, in the order of its lists."""
        levels = product(self.balances, self.models, self.methods, self.attrs, self.lams)
        return tuple(Run(self.dataset, *combination) for combination in levels)


@dataclass(frozen=True)
class RunTable:
    """A table made from the evaluations of grids.

    ``published`` is the published table it stands beside (``<file>/<table>``), None if there is none.
    ``needs`` names what it reads besides: ``epochs`` (the epochs of every run).
    """

    builder: str
    figure: str | None
    grids: tuple[str, ...]
    published: str | None = None
    needs: tuple[str, ...] = ()
    settings: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """The trained models of one study."""

    study: str
    models: Mapping[str, Mapping]
    recipes: Mapping[str, Mapping]
    methods: Mapping[str, Mapping]
    schedules: Mapping[str, tuple[tuple[str, float], ...]]
    evaluations: Mapping[str, Mapping]
    searches: Mapping[str, Mapping]
    grids: Mapping[str, Grid]
    tables: Mapping[str, RunTable]
    study_tables: tuple[str, ...]

    @cached_property
    def batches(self) -> dict[Run, tuple[Grid, ...]]:
        """Every batch that this study trains -> the grids that have it; also those that others start from."""
        found: dict[Run, list[Grid]] = {}
        names = dict.fromkeys(name for table in self.study_tables for name in self.tables[table].grids)
        waiting = [self.grids[name] for name in names]
        for grid in waiting:
            for batch in grid.batches:
                found.setdefault(batch, []).append(grid)
        for batch in list(found):
            start = self.start_of(batch)
            if start is not None and replace(start, seed=0) not in found:
                raise UserError(
                    f"config.models.{batch.model}.weights.run: study {self.study!r} has no run {start.key}; "
                    "add a table whose grid trains it"
                )
        return {batch: tuple(grids) for batch, grids in found.items()}

    def start_of(self, run: Run) -> Run | None:
        """The run of this study whose weights ``run`` starts from, if it starts from one."""
        weights = self.models[run.model].get("weights") or {}
        return Run(**weights["run"]) if "run" in weights else None

    def grids_of(self, batch: Run) -> tuple[Grid, ...]:
        """The grids that a batch belongs to; at least one."""
        batch = replace(batch, seed=0)
        if batch not in self.batches:
            raise UserError(f"study {self.study!r} has no run {batch.batch}; add it to a grid in config.yaml")
        return self.batches[batch]

    def seeds_of(self, batch: Run) -> list[int]:
        """The seeds of a batch, of all its grids together, ascending."""
        return sorted({seed for grid in self.grids_of(batch) for seed in grid.seeds})

    def evaluations_of(self, batch: Run) -> dict[str, Mapping]:
        """What a batch is evaluated on, by id, for all its grids together."""
        lines = self._measures_of(batch).items()
        return {name: line for name, line in lines if not line.get("augmented")}

    def probes_of(self, batch: Run) -> dict[str, Mapping]:
        """Those of its evaluations that see augmented pictures, and so cannot be made from embeddings."""
        return {name: line for name, line in self._measures_of(batch).items() if line.get("augmented")}

    def _measures_of(self, batch: Run) -> dict[str, Mapping]:
        names = dict.fromkeys(name for grid in self.grids_of(batch) for name in grid.evaluations)
        return {name: self.evaluations[name] for name in names}

    def runs_of(self, batch: Run) -> list[Run]:
        """A batch with each of its seeds."""
        return [replace(batch, seed=seed) for seed in self.seeds_of(batch)]

    def stages_of(self, balance: str) -> list[dict]:
        """The conditions that are trained on, in turn, with the share of the examples that each gets."""
        if balance == NONE:
            return []
        stages = self.schedules.get(balance, ((balance, 1),))
        return [{"balance": name, "share": share} for name, share in stages]

    def recipe_of(self, batch: Run) -> Mapping:
        """How a batch is trained."""
        return self.recipes[self.grids_of(batch)[0].recipe]

    def train_settings(self, run: Run) -> dict:
        """All that the registry says of one trained model, and nothing of the others."""
        return self._settings_of(run, self.recipe_of(run))

    def search_settings(self, search: str) -> dict:
        """All that the registry says of one search: the training that it varies, and how."""
        line = self.searches[search]
        training = self._settings_of(self.searched_run(search), self.recipes[line["recipe"]])
        return {"training": training, **{key: line[key] for key in ("space", "trials", "seed", "parts")}}

    def searched_run(self, search: str) -> Run:
        """The run that a search varies."""
        return Run(**self.searches[search]["run"])

    def search_file(self, template: str, search: str, **levels: object) -> str:
        """``template`` (with {study}, {search} and ``levels``) of a search."""
        return template.format(study=self.study, search=search, **levels)

    def _settings_of(self, run: Run, recipe: Mapping) -> dict:
        method = self.methods[run.method]
        return {
            "run": asdict(run),
            "model": self.model_line(run.model),
            "recipe": dict(recipe),
            "method": {"kind": method["kind"], "settings": _less(method, "kind")},
            "stages": self.stages_of(run.balance),
        }

    def is_trained(self, run: Run) -> bool:
        """Whether a run is trained at all; a zero-shot method takes the model as it is."""
        return self.methods[run.method]["kind"] != "zero_shot"

    def keep_lists(self, run: Run) -> list[str]:
        """The keep-list of each of a run's stages."""
        return [
            paths.KEEP.format(study=self.study, dataset=run.dataset, balance=stage["balance"])
            for stage in self.stages_of(run.balance)
        ]

    def weights_file(self, run: Run) -> str | None:
        """The file of the weights that a run starts from; None for random ones."""
        start = self.start_of(run)
        if start is not None:
            return self.model_file(start)
        if self.models[run.model].get("weights") is None:
            return None
        return self.fetched_weights(run.model)

    def fetched_weights(self, model: str) -> str:
        """The file of a model's published weights."""
        return paths.WEIGHTS.format(weights=self.models[model].get("like", model))

    def tower_file(self, model: str) -> str | None:
        """The file of the CLIP whose image tower a model's published weights lack; None if they are whole."""
        tower = self.models[model]["weights"].get("tower")
        return None if tower is None else self.fetched_weights(tower)

    def vocabulary_file(self, model: str) -> str | None:
        """The file of the published vocabulary of a model's tokenizer, if it has one."""
        if not vocabulary_of(self.models[model]):
            return None
        return paths.VOCABULARY.format(weights=self.models[model].get("like", model))

    def model_line(self, model: str) -> dict:
        """A model's line, its tokenizer's vocabulary as the file that it is fetched to."""
        line, vocabulary = dict(self.models[model]), self.vocabulary_file(model)
        if vocabulary is not None:
            line["tokenizer"] = {**line["tokenizer"], "vocabulary": vocabulary}
        return line

    def path_of(self, template: str, run: Run) -> str:
        """``template`` (with {study} and the levels of the run key) for a run or a batch."""
        return template.format(study=self.study, **asdict(run))

    def batch_files(self, template: str, batch: Run) -> list[str]:
        """``template`` for every seed of a batch."""
        return [self.path_of(template, run) for run in self.runs_of(batch)]

    def model_cards(self) -> list[str]:
        """The model card of every trained batch."""
        trained = [batch for batch in self.batches if self.is_trained(batch)]
        return [f"{self.path_of(paths.MODEL_CARD, batch)}/card.md" for batch in trained]

    def model_file(self, run: Run) -> str:
        """The trained model of a run."""
        return self.path_of(paths.MODEL, run)

    def embedded_models(self, batch: Run) -> list[dict]:
        """What the models of a batch are embedded from: their files, None for what a model does not have."""
        return [self._embedded_model(run) for run in self.runs_of(batch)]

    def _embedded_model(self, run: Run) -> dict:
        trained = self.is_trained(run)
        return {
            "run": asdict(run),
            "line": self.model_line(run.model),
            "weights": self.model_file(run) if trained else self.weights_file(run),
            "snapshots": self.path_of(paths.SNAPSHOTS, run) if trained else None,
            "spec": self.path_of(paths.MODEL_SPEC, run) if trained else None,
        }

    def compared_tables(self) -> list[str]:
        """The tables of this study's grids for which the papers print numbers."""
        return [name for name in self.buildable_tables() if self.tables[name].published]

    def buildable_tables(self) -> list[str]:
        """The tables of which this study has every grid."""
        return [name for name, table in self.tables.items() if self.grids.keys() >= set(table.grids)]

    def table_batches(self, table: str) -> list[Run]:
        """The batches that a table reads, each once."""
        return list(
            dict.fromkeys(batch for name in self.tables[table].grids for batch in self.grids[name].batches)
        )

    def table_records(self, table: str) -> list[str]:
        """The folders of evaluations that a table is made from."""
        return [
            self.path_of(template, batch)
            for batch in self.table_batches(table)
            for template, found in (
                (paths.EVALUATE, self.evaluations_of(batch)),
                (paths.PROBE, self.probes_of(batch)),
            )
            if found
        ]

    def table_epochs(self, table: str) -> dict[str, str]:
        """The key of every run that a table reads -> its epochs; empty if the table does not ask."""
        if "epochs" not in self.tables[table].needs:
            return {}
        return {
            run.key: self.path_of(paths.EPOCHS, run)
            for batch in self.table_batches(table)
            for run in self.runs_of(batch)
            if self.methods[run.method]["kind"] == "finetune"
        }

    def table_settings(self, table: str) -> dict:
        """What a table's builder is told: its own settings, its grids, and the catalogues that they name."""
        entry = self.tables[table]
        grids = {name: _plain(self.grids[name]) for name in entry.grids}
        chosen = [self.grids[name] for name in entry.grids]
        models = {name: dict(self.models[name]) for grid in chosen for name in grid.models}
        schedules = {
            name: [list(stage) for stage in self.schedules[name]]
            for grid in chosen
            for name in grid.balances
            if name in self.schedules
        }
        methods = {name: dict(self.methods[name]) for grid in chosen for name in grid.methods}
        evaluations = {name: dict(self.evaluations[name]) for grid in chosen for name in grid.evaluations}
        return {
            "table": table,
            "study": self.study,
            "builder": entry.builder,
            "published": None if entry.published is None else entry.published.split("/")[1],
            "grids": grids,
            "seeds": sorted({seed for grid in chosen for seed in grid.seeds}),
            "models": models,
            "schedules": schedules,
            "methods": methods,
            "evaluations": evaluations,
            **{name: self._of_study(value) for name, value in entry.settings.items()},
        }

    def _of_study(self, value: object) -> object:
        """A setting; of one that is ``{by_study: {<study>: value}}`` the value of this study."""
        if isinstance(value, Mapping) and list(value) == ["by_study"]:
            return value["by_study"].get(self.study)
        return value

    def datasets_of(self, table: str) -> list[str]:
        """The datasets that the models of a table are trained and evaluated on, each once."""
        grids = [self.grids[name] for name in self.tables[table].grids]
        trained = [dataset for grid in grids for dataset in self._trained_on(grid)]
        evaluated = [self.evaluations[name]["dataset"] for grid in grids for name in grid.evaluations]
        return list(dict.fromkeys(trained + evaluated))

    def _trained_on(self, grid: Grid) -> list[str]:
        """The grid's dataset, and those of the runs that its models start from."""
        starts = [self.start_of(batch) for batch in grid.batches]
        return [grid.dataset, *dict.fromkeys(start.dataset for start in starts if start is not None)]

    def fetched_models(self) -> list[str]:
        """The models whose published weights are fetched, each file once."""
        return [
            name
            for name, line in self.models.items()
            if "url" in (line.get("weights") or {}) and "like" not in line
        ]

    def fetched_vocabularies(self) -> list[str]:
        """The models whose tokenizer's vocabulary is fetched, each file once."""
        return [name for name, line in self.models.items() if vocabulary_of(line) and "like" not in line]

    def without(self, datasets: Iterable[str]) -> "Runs":
        """Less every grid whose models need one of ``datasets`` to be trained, less every evaluation on one,
        and less the tables that lack a grid or have no evaluation left."""
        gone = set(datasets)
        grids = {
            name: replace(
                grid,
                evaluations=tuple(
                    name for name in grid.evaluations if self.evaluations[name]["dataset"] not in gone
                ),
            )
            for name, grid in self.grids.items()
            if not gone & set(self._trained_on(grid))
        }
        kept = tuple(
            name
            for name in self.study_tables
            if grids.keys() >= set(self.tables[name].grids)
            and any(grids[grid].evaluations for grid in self.tables[name].grids)
        )
        return replace(self, grids=grids, study_tables=kept)


def make_runs(config: Mapping, study_tables: Iterable[str]) -> Runs:
    """The part of a checked configuration that trains models.

    Raises
    ------
    UserError
        If a line is ``like`` an unknown model.
    """
    return Runs(
        study=config["study"],
        models=resolve_models(config["models"]),
        recipes=config["recipes"],
        methods=config["methods"],
        schedules={
            name: tuple((balance, share) for balance, share in stages)
            for name, stages in config["schedules"].items()
        },
        evaluations={name: spell_out(line) for name, line in config["evaluations"].items()},
        searches=config["searches"].get(config["study"], {}),
        grids={
            name: _grid(entry, config["stand_ins"])
            for name, entry in config["training"].get(config["study"], {}).items()
        },
        tables={
            name: RunTable(
                **{
                    **entry,
                    "grids": tuple(entry["grids"]),
                    "needs": tuple(entry.get("needs", ())),
                }
            )
            for name, entry in config["run_tables"].items()
        },
        study_tables=tuple(name for name in study_tables if name in config["run_tables"]),
    )


def resolve_models(models: Mapping[str, Mapping]) -> dict[str, dict]:
    """Each model's line; one that is ``like`` another has that one's settings where it gives none.

    Raises
    ------
    UserError
        If that other is unknown or itself like a third.
    """
    resolved = {}
    for name, line in models.items():
        like = line.get("like")
        if like is not None and ("like" in models.get(like, {"like": None})):
            known = ", ".join(sorted(other for other, entry in models.items() if "like" not in entry))
            raise UserError(f"config.models.{name}.like: {like!r} is not a model of its own; known: {known}")
        resolved[name] = dict(line) if like is None else {**models[like], **line}
    return resolved


def vocabulary_of(line: Mapping) -> Mapping:
    """Where the vocabulary of a model's tokenizer is published (``url``, ``sha256``); empty if nowhere."""
    return line.get("tokenizer", {}).get("vocabulary", {})


def _grid(entry: Mapping, stand_ins: Mapping[str, str]) -> Grid:
    named = entry["dataset"]
    lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    return Grid(
        **{**entry, **lists, "dataset": stand_ins.get(named, named)},
        stands_in=named if named in stand_ins else None,
    )


def _plain(grid: Grid) -> dict:
    """As JSON has it: lists, no tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(grid).items()}


def _less(mapping: Mapping, key: str) -> dict:
    return {name: value for name, value in mapping.items() if name != key}
