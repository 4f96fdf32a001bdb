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
    """Id in `studies` of the study that is built."""
    mirror: str = ""
    """A folder with `<dataset id>/<file>`, tried before the network. Relative to the working directory;
    empty: the environment variable CLIPFAIR_MIRROR, or none."""
    scratch: UserPath = "scratch"
    """Folder of checkpoints, from which an interrupted training resumes; on a cluster, a folder that all
    nodes share. Relative to the working directory."""
    missing_data: Literal["stop", "leave_out"] = "stop"
    """Handling of missing data that must be obtained by hand (a request, a login). stop: one message
    lists them, how to get them and which tables need them. leave_out: the rest is built, and every table
    lists what was left out."""
    subset: Ids = []
    """Ids of datasets of which a partial copy is accepted: counts are not checked, and their tables say
    so."""
    stand_ins: dict[str, str] = {}
    """Id of a private dataset -> id of the public dataset that is used instead. Every table made from one
    says so and is not compared with published values."""

    generated: dict[Id, GeneratedDataset] = {}
    """Synthetic datasets."""
    annotations: dict[str, DatasetAnnotation] = {}
    """Annotation of datasets, by the id of the dataset."""
    balances: dict[Id, Condition] = {}
    """Conditions: selections of training examples from annotated datasets."""
    schedules: dict[Id, Schedule] = {}
    """Sequences of conditions for training in stages: `[[condition, share of the examples], ...]`. Optimiser
    state and learning-rate schedule continue from one stage to the next."""
    models: dict[Id, Model] = {}
    """Models."""
    recipes: dict[str, Recipe] = {}
    """Recipes: training settings."""
    methods: dict[Id, Method] = {}
    """Methods: training objectives."""
    evaluations: dict[Id, Evaluation] = {}
    """Evaluations of models."""
    tasks: dict[str, TabularTask] = {}
    """Prediction tasks on tables."""
    classifiers: dict[Id, ClassifierEntry] = {}
    """Base classifiers of the mitigations."""
    mitigations: dict[Id, Mitigation] = {}
    """Bias mitigation methods on tables."""
    grids: dict[str, AnyGrid] = {}
    """Grids of runs."""
    searches: dict[Id, Search] = {}
    """Hyperparameter searches."""
    tables: dict[Annotated[str, Field(pattern=r"^[a-z0-9]+/[a-z0-9-]+$")], Table] = {}
    """Tables and figures."""
    studies: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], Study] = {}
    """Studies: sets of tables that are built together."""
