"""Grids, searches, tables and studies."""

from functools import cached_property
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from clipfair.core.paths import Run
from clipfair.core.settings import SettingsModel
from clipfair.plan.configuration.types import (
    NONE,
    CatalogueEntry,
    Count,
    Ids,
    Lam,
    Number,
    Positive,
    Seeds,
    SomeIds,
    Unique,
    Whole,
)


class Grid(CatalogueEntry):
    """Models to train: every combination of the lists, each with all seeds and evaluations."""

    dataset: str = NONE
    """Id of the training dataset; none: nothing is trained, and models are evaluated as they are."""
    balances: SomeIds = [NONE]
    """Ids in `balances` or `schedules`; none: all rows of a prepared table."""
    models: SomeIds
    """Ids in `models`."""
    methods: SomeIds
    """Ids in `methods`."""
    attrs: SomeIds = [NONE]
    """Sensitive attributes of the fairness loss; none for a method without one."""
    lams: Annotated[list[Lam], Field(min_length=1), Unique] = ["0"]
    """Weights λ of the fairness loss; 0 for a method without one."""
    recipe: str
    """Id in `recipes`."""
    seeds: Seeds
    """One training per seed."""
    evaluations: Ids = []
    """Ids in `evaluations`."""

    @cached_property
    def batches(self) -> tuple[Run, ...]:
        """The runs without their seeds, in the order of the lists."""
        levels = product(self.balances, self.models, self.methods, self.attrs, self.lams)
        return tuple(Run(self.dataset, *combination) for combination in levels)


class TabularGrid(CatalogueEntry):
    """Mitigations on tables: every combination of the lists, each with all seeds."""

    tasks: SomeIds
    """Ids in `tasks`."""
    classifier: str
    """Id in `classifiers`."""
    mitigations: SomeIds
    """Ids in `mitigations`."""
    test_share: Annotated[Number, Field(gt=0, lt=1)]
    """Share of the rows in the test split of a repeat."""
    seeds: Seeds
    """One repeat per seed, with its own initial weights, batches and, without `split_seed`, split."""


AnyGrid = Annotated[
    Annotated[Grid, Tag("trained")] | Annotated[TabularGrid, Tag("tabular")],
    Discriminator(lambda value: "tabular" if "tasks" in value else "trained"),
]


class Range(SettingsModel):
    """Range of a setting in a search."""

    low: Number
    high: Number
    log: bool = False
    """Draw on a logarithmic scale."""
    step: Positive | None = None
    """Step size: draw `low` plus multiples of it."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low}, and high {self.high}; expected low < high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a logarithmic range has low > 0 and no step")
        return self


class Search(CatalogueEntry):
    """A hyperparameter search of a fine-tuning for the best validation AUC (Optuna)."""

    dataset: str
    """Id of the training dataset."""
    model: str
    """Id in `models`."""
    method: str
    """Id in `methods`."""
    attr: str = NONE
    """Sensitive attribute of the fairness loss."""
    lam: Lam = "1"
    """Weight λ of the fairness loss, where `space` does not vary it."""
    run_seed: Whole = 0
    """Seed of every training."""
    recipe: str
    """Id in `recipes`."""
    space: Annotated[dict[str, Range], Field(min_length=1)]
    """Search space: recipe.<key>, fairness.lam or method.settings.<switch> -> range."""
    trials: Count
    """Total number of trials."""
    seed: Whole
    """Seed of the search."""
    parts: Count
    """Number of jobs that share the trials."""

    @property
    def run(self) -> Run:
        """The run whose settings are varied."""
        return Run(
            dataset=self.dataset,
            model=self.model,
            method=self.method,
            attr=self.attr,
            lam=self.lam,
            seed=self.run_seed,
        )


class Table(CatalogueEntry):
    """A table, and optionally a figure; its id `<paper>/<table>` is its path in results/tables/<study>."""

    builder: str
    """Module in `src/clipfair/tables/<paper>`."""
    figure: str | None = None
    """Module `<figure>_figure` of the same package, which draws the figure; null: no figure."""
    grids: Ids = []
    """Ids in `grids` whose evaluations the table reads."""
    annotations: Ids = []
    """Ids in `annotations`, for a table about annotated data."""
    balances: Ids = []
    """Ids in `balances` of those datasets."""
    datasets: Ids = []
    """Ids of prepared datasets, for a table about them."""
    searches: Ids = []
    """Ids in `searches`, for a table about them."""
    needs: list[Literal["epochs"]] = []
    """Further inputs; epochs: the epochs of every run."""
    published: str | None = None
    """`<file in resources/published>/<table>`: the published values for comparison
    (resources/published/mapping.yaml maps our entries to its rows and columns)."""
    rows: Ids | None = None
    """Ids of the methods shown, in order; all methods of its grids unless given."""
    names: dict[str, str] = {}
    """Id of a method -> its name in this table, which replaces the usual one."""
    baselines: dict[str, str | None] = {}
    """Id of a method -> its baseline in this table, which replaces the method's own; null: none."""
    baseline_exceptions: dict[str, list[str]] = {}
    """Id of a method -> switches in which its baseline may differ, besides the fairness loss."""
    settings: dict[str, Any] = {}
    """Further settings of the builder; `shown` lists ids of evaluations."""

    @model_validator(mode="after")
    def _reads_one_kind(self) -> Self:
        read = [key for key in ("grids", "annotations", "datasets", "searches") if getattr(self, key)]
        if len(read) != 1:
            raise ValueError(
                "expected one of grids, annotations, datasets, searches to read; "
                f"found {', '.join(read) or 'none'}"
            )
        return self


class Study(SettingsModel):
    """A set of tables that are built together, and the values of their roles."""

    like: str | None = Field(default=None, exclude=True)
    """Id of a study: its roles are added, and its grids and tables are used where this study has none."""
    roles: dict[str, Any] = {}
    """Role -> an id, a list of ids, or a number, which replaces `$<role>` in grids, searches and tables."""
    grids: dict[str, dict[str, Any]] = {}
    """Grids of this study only, and overrides of keys of a common grid."""
    tables: Annotated[list[str], Field(min_length=1), Unique]
    """Ids in `tables` of the tables that are built."""
