"""The whole configuration: config.yaml and config/, merged."""

from typing import Annotated, Literal

from pydantic import Field

from clipfair.core.settings import SettingsModel
from clipfair.plan.configuration.data import Condition, DatasetAnnotation, GeneratedDataset, Schedule
from clipfair.plan.configuration.evaluations import Evaluation
from clipfair.plan.configuration.methods import Method
from clipfair.plan.configuration.models import Model
from clipfair.plan.configuration.recipes import Recipe
from clipfair.plan.configuration.studies import AnyGrid, Search, Study, Table
from clipfair.plan.configuration.tabular import ClassifierEntry, Mitigation, TabularTask
from clipfair.plan.configuration.types import Id, Ids, UserPath


class Configuration(SettingsModel):
    """Settings, then catalogues: mappings from an id to an entry."""

    study: str
    """Id in `studies`: what is built."""
    mirror: str = ""
    """A folder with `<dataset id>/<file>`, tried before the network. Relative to the working directory;
    empty: the environment variable CLIPFAIR_MIRROR, or none."""
    scratch: UserPath = "scratch"
    """The folder of checkpoints, from which an interrupted training goes on; on a cluster one that all nodes
    share. Relative to the working directory."""
    missing_data: Literal["stop", "leave_out"] = "stop"
    """If data are missing that only a person can get (a request, a login). stop: one message says which, how
    to get them and which tables need them. leave_out: the rest is built, and every table lists what was left
    out."""
    subset: Ids = []
    """Ids of datasets of which a partial copy is accepted: counts are not checked, their tables say so."""
    stand_ins: dict[str, str] = {}
    """Id of a dataset that nobody outside its owner has: id of the public dataset that is used instead. Every
    table made from one says so, and is not compared with published values."""

    generated: dict[Id, GeneratedDataset] = {}
    """Synthetic datasets."""
    annotations: dict[str, DatasetAnnotation] = {}
    """How datasets are annotated, by the dataset's id."""
    balances: dict[Id, Condition] = {}
    """Conditions: which examples of an annotated dataset are trained on."""
    schedules: dict[Id, Schedule] = {}
    """Conditions that are trained on in turn: `[[condition, share of the examples], ...]`. Optimiser and
    learning rate go on from one to the next."""
    models: dict[Id, Model] = {}
    """Models."""
    recipes: dict[str, Recipe] = {}
    """How a model is trained."""
    methods: dict[Id, Method] = {}
    """What a model is trained for."""
    evaluations: dict[Id, Evaluation] = {}
    """What a model is measured on."""
    tasks: dict[str, TabularTask] = {}
    """Prediction tasks on tables."""
    classifiers: dict[Id, ClassifierEntry] = {}
    """Base classifiers of the mitigations."""
    mitigations: dict[Id, Mitigation] = {}
    """Bias mitigation methods on tables."""
    grids: dict[str, AnyGrid] = {}
    """What is run."""
    searches: dict[Id, Search] = {}
    """Searches of settings."""
    tables: dict[Annotated[str, Field(pattern=r"^[a-z0-9]+/[a-z0-9-]+$")], Table] = {}
    """What is made of it."""
    studies: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], Study] = {}
    """What is run together."""
