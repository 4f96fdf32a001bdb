"""The plan of one study: its tables, the models that they need, and where everything lies."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from clipfair.core import paths
from clipfair.core.catalogue import Dataset
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.configuration.models import Model
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid, Search, Table, TabularGrid
from clipfair.plan.configuration.types import NONE
from clipfair.plan.draws import draw_of, draws_of, family_message, is_family, members_of
from clipfair.plan.published import PublishedTable


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """The plan of one study.

    Grids may share runs; a run is then trained once, with the seeds and evaluations of all of them together.

    Attributes
    ----------
    configuration : checked, with the roles of the study resolved.
    datasets : by id: the catalogue, and the synthetic datasets, families and their draws included.
    published : table -> rows and columns of our entries in the published table.
    tables : the tables of the study by id, in its order.
    grids, tabular_grids : the grids that the tables read, by id.
    left_out : datasets that are missing and left out.
    """

    configuration: Configuration
    datasets: Mapping[str, Dataset]
    published: Mapping[str, PublishedTable]
    tables: Mapping[str, Table]
    grids: Mapping[str, Grid]
    tabular_grids: Mapping[str, TabularGrid]
    left_out: tuple[str, ...] = ()

    @property
    def study(self) -> str:
        """The id of the study."""
        return self.configuration.study

    @cached_property
    def searches(self) -> dict[str, Search]:
        """The searches that the study's tables name, by id."""
        names = dict.fromkeys(name for table in self.tables.values() for name in table.searches)
        return {name: self.configuration.searches[name] for name in names}

    # --- runs ---

    @cached_property
    def batches(self) -> dict[Run, tuple[Grid, ...]]:
        """Every batch (a run without its seed) that this study trains -> the grids that contain it."""
        found: dict[Run, list[Grid]] = {}
        for grid in self.grids.values():
            for batch in grid.batches:
                found.setdefault(batch, []).append(grid)
        return {batch: tuple(grids) for batch, grids in found.items()}

    def grids_of(self, run: Run) -> tuple[Grid, ...]:
        """The grids that contain a run or batch; at least one.

        Raises
        ------
        UserError
            If the study does not have it.
        """
        batch = replace(run, seed=0)
        if batch not in self.batches:
            raise UserError(f"study {self.study!r} has no run {batch.batch}; add it to one of its grids")
        return self.batches[batch]

    def seeds_of(self, batch: Run) -> list[int]:
        """The seeds of a batch, of all its grids together, ascending."""
        return sorted({seed for grid in self.grids_of(batch) for seed in grid.seeds})

    def runs_of(self, batch: Run) -> list[Run]:
        """A batch with each of its seeds."""
        return [replace(batch, seed=seed) for seed in self.seeds_of(batch)]

    def model_of(self, run: Run) -> Model:
        """The model that a run trains or evaluates."""
        return self.configuration.models[run.model]

    def recipe_of(self, batch: Run) -> Recipe:
        """The recipe of a batch."""
        return self.configuration.recipes[self.grids_of(batch)[0].recipe]

    def is_trained(self, run: Run) -> bool:
        """Whether a run is trained; a zero-shot method takes the model as it is."""
        return self.configuration.methods[run.method].kind != "zero_shot"

    def start_of(self, run: Run) -> Run | None:
        """The run of this study whose weights ``run`` starts from, if it starts from one.

        It has the seed of ``run``, unless the model's entry names one seed for all.
        """
        start = self.model_of(run).start
        if start is None:
            return None
        levels = start.model_dump()
        return Run(**levels | {"seed": run.seed if start.seed is None else start.seed})

    def stages_of(self, balance: str) -> list[tuple[str, float]]:
        """The conditions that are trained on in turn, each with its share of the examples."""
        if balance == NONE:
            return []
        return self.configuration.schedules.get(balance, [(balance, 1)])

    def tabular_batches(self, grid: str) -> list[Run]:
        """Every batch of a grid of mitigations, in the order of its lists."""
        chosen = self.tabular_grids[grid]
        tasks = [self.configuration.tasks[name] for name in chosen.tasks]
        return [
            Run(dataset=task.dataset, model=chosen.classifier, method=method, attr=task.sensitive)
            for task in tasks
            for method in chosen.mitigations
        ]

    # --- datasets ---

    def draw_of(self, dataset: str, seed: int) -> str:
        """The dataset that a run with a seed reads; of a family the draw of the seed."""
        return draw_of(self.configuration.generated, dataset, seed)

    def dataset_of(self, run: Run) -> str:
        """The dataset that a run is trained on; of a family the draw of its seed."""
        return self.draw_of(run.dataset, run.seed)

    def members_of(self, dataset: str) -> list[str]:
        """The datasets with the files of a dataset: of a family all of its draws, else the dataset."""
        return members_of(self.configuration.generated, dataset)

    def is_family(self, dataset: str) -> bool:
        """Whether a dataset is a family of draws, which has no files of its own."""
        return is_family(self.configuration.generated, dataset)

    @cached_property
    def listed_datasets(self) -> list[str]:
        """The datasets for messages: families without their draws."""
        draws = set(draws_of(self.configuration.generated))
        return [name for name in self.datasets if name not in draws]

    # --- places ---

    def path_of(self, template: str, run: Run) -> str:
        """``template`` (with {study} and the levels of the run key) for a run or a batch."""
        return template.format(study=self.study, **asdict(run))

    def batch_files(self, template: str, batch: Run) -> list[str]:
        """``template`` for every seed of a batch."""
        return [self.path_of(template, run) for run in self.runs_of(batch)]

    def raw_of(self, dataset: str) -> str:
        """The folder of a dataset's files."""
        return self._versioned(paths.RAW, dataset)

    def prepared_of(self, dataset: str) -> str:
        """The prepared table of a dataset."""
        return self._versioned(paths.PREPARED_TABLE, dataset)

    def decoded_of(self, dataset: str) -> str:
        """The folder of what trainings on a dataset share."""
        return self._versioned(paths.DECODED, dataset)

    def data_kind_of(self, dataset: str) -> str:
        """``synthetic`` or ``real``."""
        made_here = dataset in self.configuration.generated or self.datasets[dataset].miniature
        return "synthetic" if made_here else "real"

    def _versioned(self, template: str, dataset: str) -> str:
        if self.is_family(dataset):
            raise ValueError(family_message(dataset, self.configuration.generated))
        return template.format(dataset=dataset, version=self.datasets[dataset].version)

    def table_files(self, suffix: str, tables: Iterable[str]) -> list[str]:
        """The files ``<table><suffix>`` of some tables."""
        return [
            f"{paths.TABLE}{suffix}".format(study=self.study, paper=paper, table=name)
            for paper, name in (table.split("/") for table in tables)
        ]
