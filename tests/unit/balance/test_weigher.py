import json

import numpy as np
import pytest

from clipfair.balance.counts import count_tables
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.balance.targets import target_proportions
from clipfair.balance.weigher import Weigher, read_dual, write_dual
from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Problem, solve


@pytest.mark.parametrize("max_weight", [1.0, np.inf])
def test_the_dual_file_weighs_a_new_shard(people, people_file, tmp_path, max_weight, write_table, weights_of):
    table = AnnotationTable(people_file)
    layout = infer_layout([table], sensitive=["sex"], labels=["occupation", "rich"], utility="utility")
    counts = count_tables([table], layout)
    patterns = counts.patterns()
    settings = M4Settings(
        target_proportions(patterns, layout), 0.6, max_weight=max_weight, eps_association=0.003
    )
    solution = solve(Problem(patterns, settings))
    largest = float(solution.weights.max())
    write_dual(tmp_path / "dual.json", Weigher(layout, settings, solution.v, solution.mu, largest))
    read = read_dual(tmp_path / "dual.json")
    assert read.layout == layout
    assert read.largest_weight == largest
    again = read.weigh(None, counts.rows, np.arange(len(counts.rows)))
    np.testing.assert_allclose(again, solution.weights, atol=1e-12)

    whole = weights_of(people_file, read)
    part = weights_of(write_table(people[500:600], tmp_path / "shard.parquet"), read)
    np.testing.assert_array_equal(part, whole[500:600])


@pytest.mark.parametrize("content", ["null", '{"layout": {}}', "[]"])
def test_another_file_is_not_read_as_dual_variables(tmp_path, content):
    (tmp_path / "dual.json").write_text(content)
    with pytest.raises(UserError, match="not a file of dual variables"):
        read_dual(tmp_path / "dual.json")


def test_a_damaged_dual_or_a_folder_is_not_to_be_deleted(tmp_path):
    (tmp_path / "dual.json").write_text("{")
    with pytest.raises(UserError, match=r"not JSON .*; give the dual\.json of a table"):
        read_dual(tmp_path / "dual.json")
    with pytest.raises(UserError, match="a folder: give the dual"):
        read_dual(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["v"].pop(),
        lambda content: content.update(v=["a"] * len(content["v"])),
        lambda content: content["v"].__setitem__(0, float("nan")),
        lambda content: content.update(mu=None),
        lambda content: content.update(settings=3),
        lambda content: content["settings"].update(rate="max"),
        lambda content: content["settings"].update(target=[0.5]),
        lambda content: content["settings"].update(colour=1),
        lambda content: content["layout"].pop("labels"),
        lambda content: content["layout"].update(missing="perhaps"),
        lambda content: content["layout"].update(utility_transform="log"),
        lambda content: content.update(largest_weight=-1),
    ],
)
def test_damaged_dual_variables_are_one_line(people_file, tmp_path, damage):
    layout = infer_layout([AnnotationTable(people_file)], sensitive=["sex"], labels=["rich"])
    weigher = Weigher(layout, M4Settings([0.5, 0.5], 0.9), np.zeros(8), 0.0, 1.0)
    path = tmp_path / "dual.json"
    write_dual(path, weigher)
    assert read_dual(path).settings.rate == 0.9
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"dual\.json: damaged, or of another version .*: balance") as error:
        read_dual(path)
    assert "\n" not in str(error.value)
