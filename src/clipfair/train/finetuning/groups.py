"""The groups of the training examples: those of a fairness loss, and the cells of attribute and label."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clipfair.core.errors import UserError
from clipfair.train.example_weights import find_weights
from clipfair.train.finetuning.examples import Examples

# The number of the random generator that shuffles groups; those of the batches have the numbers 0, 1, ...
PLACEBO_STREAM = 2**32 - 1


@dataclass(frozen=True)
class Cells:
    """The cells of attribute and label, as Sagawa et al. (2020) define groups.

    Attributes
    ----------
    codes : (n,) the cell of each example, 2 g + y for group g and label y; -1 where the group is not known.
    count : the number of cells, 2 G.
    """

    codes: np.ndarray
    count: int

    @property
    def rows(self) -> list[np.ndarray]:
        """The rows of each cell."""
        return [np.flatnonzero(self.codes == cell) for cell in range(self.count)]

    def weights(self, name: str) -> np.ndarray:
        """Return the weights of a module of ``example_weights``; (n,), 1 where the group is not known."""
        known = self.codes >= 0
        found = np.ones(len(self.codes))
        found[known] = find_weights(name)(self.codes[known] // 2, self.codes[known] % 2)
        return found


@dataclass(frozen=True)
class TrainingGroups:
    """The groups that a method uses.

    Attributes
    ----------
    of_loss : attribute and rows of each group of the fairness loss; empty without one.
    cells : those of the run's attribute, if the method weighs, samples or optimises by them.
    """

    of_loss: list[tuple[str, np.ndarray]]
    cells: Cells | None


def grouped_attributes(switches: Mapping, fairness: Mapping | None, run: Mapping) -> list[str]:
    """Return the attributes whose groups a method uses: those of its fairness loss, or of its cells."""
    if uses_cells(switches):
        return [run["attr"]]
    return [] if fairness is None else list(fairness["weights"])


def uses_cells(switches: Mapping) -> bool:
    """Return True if a method uses the cells of attribute and label."""
    return (
        switches["example_weights"] != "none"
        or switches["sampler"] != "shuffled"
        or switches["dro_step"] is not None
    )


def read_groups(
    examples: Examples, switches: Mapping, fairness: Mapping | None, run: Mapping
) -> TrainingGroups:
    """Return the groups of the training split, shuffled by the run's seed if the method is a placebo.

    Raises
    ------
    UserError
        If a method uses cells and one has no example.
    """
    attributes = grouped_attributes(switches, fairness, run)
    members = {name: examples.members(name) for name in attributes}
    if switches["groups"] == "shuffled":
        members = shuffle_groups(members, run["seed"])
    cells = find_cells(run["attr"], members[run["attr"]], examples.labels) if uses_cells(switches) else None
    if fairness is None:
        return TrainingGroups([], cells)
    of_loss = [(name, rows) for name in fairness["weights"] for rows in members[name].values()]
    return TrainingGroups(of_loss, cells)


def shuffle_groups(
    members: Mapping[str, Mapping[str, np.ndarray]], seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Permute the groups of each attribute among the examples whose group is known; sizes stay.

    Parameters
    ----------
    members
        Attribute -> group -> the rows of its examples.
    seed
        Of the run; the batches have other generators, so the placebo has the batches of its counterpart.
    """
    rng = np.random.default_rng([seed, PLACEBO_STREAM])
    shuffled = {}
    for attribute, groups in members.items():
        rows = rng.permutation(np.concatenate(list(groups.values())))
        parts = np.split(rows, np.cumsum([len(group) for group in groups.values()])[:-1])
        shuffled[attribute] = {name: np.sort(part) for name, part in zip(groups, parts, strict=True)}
    return shuffled


def find_cells(attribute: str, groups: Mapping[str, np.ndarray], labels: np.ndarray) -> Cells:
    """Return the cells of an attribute's groups (name -> rows) and the labels (n,).

    Raises
    ------
    UserError
        If a cell has no example.
    """
    codes = np.full(len(labels), -1)
    for number, (name, rows) in enumerate(groups.items()):
        codes[rows] = 2 * number + labels[rows]
        missing = {0, 1} - set(labels[rows].tolist())
        if missing:
            raise UserError(
                f"attribute {attribute!r}: group {name!r} has no training example of label {min(missing)}, "
                "which example_weights, sampler and dro_step need; choose another attr in the grid"
            )
    return Cells(codes, 2 * len(groups))
