"""Targets of a call: a run that the study does not have is one line."""

import pytest

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.run_targets import check_run_targets

WEB = Run("embedded-web", "baseline", "small-32-r64", "clip")


def test_runs_of_the_study_and_other_files_are_accepted(plan_of):
    plan = plan_of()
    [tabular, *_] = plan.tabular_batches("table5")
    files = [
        plan.path_of(template, WEB)
        for template in (paths.MODEL, paths.EVALUATE, paths.EVALUATE + paths.FOLDER_SPEC)
    ]
    check_run_targets(plan, ["all", paths.TABLE5, *files, plan.path_of(paths.TABULAR, tabular)])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("method~clip", "method~siglip", "has no run .*method~siglip.*; add it to one of its grids"),
        ("seed~0", "seed~7", "no grid of study 'embedded' has seed 7; known: 0, 1, 2$"),
        ("seed~0", "seed~1.0", "no grid of study 'embedded' has seed 1.0; known: 0, 1, 2$"),
    ],
)
def test_a_run_in_no_grid_is_one_line(plan_of, old, new, message):
    plan = plan_of()
    target = plan.path_of(paths.MODEL, WEB)
    assert old in target
    with pytest.raises(UserError, match=message) as error:
        check_run_targets(plan, [target.replace(old, new)])
    assert "\n" not in str(error.value)
