"""All recipes of README.md together, in a copy of the repository: Snakemake plans what they add."""

from pathlib import Path

from tests.repository import Repository, copy_parts
from tests.unit.plan.test_readme_recipes import RECIPES, edit


class Whole(Repository):
    """A copy with the default study as it is."""

    def __init__(self, folder: Path):
        self.folder = folder
        copy_parts(folder)


def test_the_workflow_plans_what_the_recipes_add(tmp_path):
    repository = Whole(tmp_path)
    before = repository.planned()
    for number, (row, *_, edits) in enumerate(RECIPES):
        for file, beginning, added in edits:
            edit(tmp_path, row, file, beginning, added.replace("mine", f"mine-{number}"))
    after = repository.planned()
    # A row of Table 5 has two tasks here; other recipes add trainings of three seeds, and of the new seed.
    assert after["evaluate_mitigation"] == before["evaluate_mitigation"] + 2
    assert after["make_condition"] == before["make_condition"] + 1
    assert after["train_seeds_0_1_2"] > before["train_seeds_0_1_2"]
    assert after["train_seeds_7"] > 0
