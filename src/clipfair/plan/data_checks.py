"""Checks of columns, values, splits and attributes that the configuration names, as far as they are known."""

import difflib
import math
from collections.abc import Iterable, Mapping
from functools import cache

import yaml

from clipfair.core import paths
from clipfair.core.catalogue import Dataset
from clipfair.core.errors import unknown
from clipfair.core.settings import Key, Violation, parse
from clipfair.data.embedded.web_settings import WebSettings
from clipfair.data.embedded.world import PART_SETTINGS
from clipfair.data.rows import HASH_RANK
from clipfair.plan.configuration.models import Model
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration.studies import Grid
from clipfair.plan.configuration.types import NONE
from clipfair.plan.study_plan import StudyPlan

WORDS = paths.ROOT / "resources/words"
VOCABULARIES = paths.ROOT / "resources/vocabulary"


def check_generated(configuration: Configuration) -> None:
    """Check the settings of the synthetic datasets.

    Raises
    ------
    Violation
        If one is unknown or its value is wrong.
    """
    for name, entry in configuration.generated.items():
        key = ("generated", name, "settings")
        try:
            parse(PART_SETTINGS[entry.part], entry.settings)
        except Violation as violation:
            offending = (*key, *violation.offending)
            raise Violation((*key, *violation.key), violation.message, offending=offending) from None


def check_shards(plan: StudyPlan) -> None:
    """Check that annotated pairs have shards, and synthetic ones that the study uses as many as are made.

    Raises
    ------
    Violation
        The first dataset without pairs or with another number of shards. With fewer shards than are made, the
        pairs of the others would be in no condition.
    """
    configuration = plan.configuration
    used = {batch.dataset for batch in plan.batches}
    used |= {dataset for table in plan.tables.values() for dataset in table.annotations}
    for name, annotation in configuration.annotations.items():
        if annotation.source != "pairs":
            continue
        kind = plan.datasets[name].kind
        if kind != "pairs":
            raise Violation(
                ("annotations", name, "source"),
                f"'pairs', but the dataset is of kind {kind!r}; expected 'captions' or 'labels'",
            )
        key, generated = ("annotations", name, "shards"), configuration.generated.get(name)
        if generated is not None and generated.part == "web":
            settings = parse(WebSettings, generated.settings)
            made = math.ceil(settings.pairs / settings.shard_size)
            if name in used and annotation.shards != made:
                raise Violation(key, f"{annotation.shards}; the settings of the dataset make {made}")
        elif not annotation.shards:
            raise Violation(key, "0; pairs are in shards: expected 1 or more")


def check_words(name: str, model: Model) -> None:
    """Check that the list of words of a model's tokenizer exists."""
    known = [file.stem for file in WORDS.glob("*.txt")]
    for holder, step in ((model, ()), (getattr(model, "tokenizer", None), ("tokenizer",))):
        words = getattr(holder, "words", None)
        if words is not None and words not in known:
            raise Violation(("models", name, *step, "words"), unknown("list of words", words, known))


def check_evaluation(name: str, plan: StudyPlan) -> None:
    """Check the columns, values and split of an evaluation against its dataset.

    Raises
    ------
    Violation
        The first that the dataset does not have.
    """
    evaluation = plan.configuration.evaluations[name]
    columns = _Columns(evaluation.dataset, plan.datasets)
    key = ("evaluations", name)
    columns.check_split((*key, "split"), evaluation.split)
    columns.check_where((*key, "where"), evaluation.where)
    support = getattr(evaluation, "support", {})
    for where in support if isinstance(support, list) else [support]:
        columns.check_where((*key, "support"), where)
    if hasattr(evaluation, "shots"):
        columns.check_shots((*key, "shots"), max(evaluation.shots), support)
    if hasattr(evaluation, "sensitive"):
        columns.check_attributes((*key, "sensitive"), evaluation.sensitive)
    if hasattr(evaluation, "label"):
        columns.check_label(key, evaluation.label, evaluation.positive)
    if hasattr(evaluation, "attribute"):
        columns.check_attributes((*key, "attribute"), [evaluation.attribute])
        columns.check_values((*key, "groups"), evaluation.attribute, evaluation.groups.values())
    if isinstance(getattr(evaluation, "occupations", None), str):
        known = [file.stem for file in VOCABULARIES.glob("*.yaml")]
        if evaluation.occupations not in known:
            raise Violation((*key, "occupations"), unknown("vocabulary", evaluation.occupations, known))
    if hasattr(evaluation, "validation"):
        columns.check_split((*key, "validation"), evaluation.validation)


class _Columns:
    """The columns of a dataset that the catalogue knows; nothing is refused where it knows none."""

    def __init__(self, dataset: str, datasets: Mapping[str, Dataset]):
        entry = datasets[dataset]
        self.dataset = dataset
        self.values = {**entry.attributes, **entry.labels}
        # A synthetic dataset has the columns and splits of the one whose format it has.
        described = datasets[entry.format_id].expected
        counted = {column for count in described.counts for column in count.where}
        self.names = {"split", "used", *self.values, *counted}
        splits = {
            count.where["split"]: count.rows for count in described.counts if set(count.where) == {"split"}
        }
        # The counts of a synthetic dataset are not those of the one whose format it has.
        self.counts = described.counts if entry.format_id == entry.id else ()
        self.classes = described.classes or 1
        self.splits = set(splits) if sum(splits.values()) == described.rows else set()

    def check_attributes(self, key: Key, names: Iterable[str]) -> None:
        self._check(key, f"attribute of {self.dataset}", names, self.values)

    def check_label(self, key: Key, label: str, positive: str | None) -> None:
        self._check((*key, "label"), f"column of {self.dataset}", [label], self.values)
        if positive is not None:
            self.check_values((*key, "positive"), label, [positive])

    def check_values(self, key: Key, column: str, values: Iterable[object]) -> None:
        known = self.values.get(column, ())
        self._check(key, f"value of {column}", [str(value) for value in values], known)

    def check_split(self, key: Key, split: object) -> None:
        self._check(key, f"split of {self.dataset}", [str(split)], self.splits)

    def check_shots(self, key: Key, shots: int, support: Mapping | list[Mapping]) -> None:
        for count in self.counts:
            if count.where == support and shots * self.classes > count.rows:
                raise Violation(
                    key,
                    f"{shots} shots of {self.classes} classes are {shots * self.classes:,} examples; "
                    f"{self.dataset} has {count.rows:,} in the support; choose fewer",
                )

    def check_where(self, key: Key, where: Mapping | None) -> None:
        for column, value in (where or {}).items():
            if column == HASH_RANK:
                continue
            values = value if isinstance(value, list) else [value]
            if column == "split":
                for split in values:
                    self.check_split((*key, column), split)
            else:
                self._check_spelling(key, column)
                self.check_values((*key, column), column, values)

    def _check_spelling(self, key: Key, column: str) -> None:
        """Refuse a column that is almost one that is known; a loader may have others than these."""
        if column not in self.names and difflib.get_close_matches(column, self.names, n=1, cutoff=0.7):
            raise Violation(key, unknown(f"column of {self.dataset}", column, self.names))

    @staticmethod
    def _check(key: Key, what: str, names: Iterable[str], known: Iterable[str]) -> None:
        for name in names:
            if known and name not in known:
                raise Violation(key, unknown(what, name, known))


def check_trained_data(name: str, grid: Grid, plan: StudyPlan) -> None:
    """Check that the methods of a grid can be trained on its dataset and conditions.

    Raises
    ------
    Violation
        If a method trains and the grid has no dataset, a pretraining has no pairs or no condition, or another
        method has a condition.
    """
    annotations, key = plan.configuration.annotations, ("grids", name)
    for method in grid.methods:
        kind = plan.configuration.methods[method].kind
        pretrains = kind == "pretrain"
        if grid.dataset == NONE and kind != "zero_shot":
            raise Violation((*key, "dataset"), f"method {method!r} trains; expected the id of a dataset")
        for balance in grid.balances:
            if pretrains and balance == NONE:
                raise Violation((*key, "balances"), f"method {method!r} trains on pairs; expected conditions")
            if not pretrains and balance != NONE:
                raise Violation(
                    (*key, "balances"),
                    f"method {method!r} trains on the rows of a table; expected none, found {balance!r}",
                )
        if pretrains and (grid.dataset not in annotations or annotations[grid.dataset].source != "pairs"):
            pairs = [dataset for dataset, entry in annotations.items() if entry.source == "pairs"]
            raise Violation(
                (*key, "dataset"),
                f"method {method!r} trains on annotated pairs, which {grid.dataset!r} has not; "
                f"known: {', '.join(pairs)}",
            )
    recipe = plan.configuration.recipes[grid.recipe]
    if recipe.fine_tunes and grid.dataset != NONE:
        columns = _Columns(grid.dataset, plan.datasets)
        columns.check_attributes(("recipes", grid.recipe, "attributes"), recipe.attributes)
        columns.check_label(("recipes", grid.recipe), recipe.label, recipe.positive)
        if recipe.subsample is not None and recipe.subsample.shares is not None:
            at, subsample = ("recipes", grid.recipe, "subsample"), recipe.subsample
            columns.check_attributes((*at, "attribute"), [subsample.attribute])
            columns.check_values((*at, "shares"), subsample.attribute, subsample.shares)
        for split, where in recipe.splits.model_dump(exclude_unset=True).items():
            columns.check_where(("recipes", grid.recipe, "splits", split), where)


def check_conditions(plan: StudyPlan) -> None:
    """Check that the attributes of every condition that is made exist in its annotations.

    Raises
    ------
    Violation
        The first that does not.
    """
    for dataset, balance in _conditions_made(plan):
        condition = plan.configuration.balances[balance]
        known = _attributes_of(dataset, plan)
        named = {"sensitive": condition.sensitive, "labels": condition.label_attributes}
        for field, attributes in named.items():
            if field not in condition.model_fields_set:
                continue
            for attribute in attributes:
                if attribute not in known:
                    raise Violation(
                        ("balances", balance, field), unknown(f"attribute of {dataset}", attribute, known)
                    )


def _conditions_made(plan: StudyPlan) -> list[tuple[str, str]]:
    trained = [(batch.dataset, name) for batch in plan.batches for name, _ in plan.stages_of(batch.balance)]
    shown = [
        (dataset, balance)
        for table in plan.tables.values()
        for dataset in table.annotations
        for balance in table.balances
    ]
    found = dict.fromkeys([*trained, *shown])
    within = [(dataset, plan.configuration.balances[name].within) for dataset, name in found]
    return [*found, *(pair for pair in within if pair[1] is not None)]


def _attributes_of(dataset: str, plan: StudyPlan) -> set[str]:
    annotation, entry = plan.configuration.annotations[dataset], plan.datasets[dataset]
    if annotation.source == "labels":
        return {*entry.attributes, *entry.labels}
    found = {_attribute_of(vocabulary) for vocabulary in annotation.vocabularies}
    if annotation.annotator is not None:
        found.update(name.partition("=")[0] for name in annotation.annotator.flags)
        found.update(annotation.annotator.categories)
    return found


@cache
def _attribute_of(vocabulary: str) -> str:
    text = (paths.ROOT / f"resources/vocabulary/{vocabulary}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)["attribute"]
