"""The table of the worlds: what settings plant is what draws show."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.data.datasets import harvard_fairvlmed
from clipfair.data.embedded.fundus_settings import FundusSettings
from clipfair.data.embedded.generate import generate_world
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.questions import worlds

PLAN = read_analysis_plan()
SMALL = {"train": 200, "validation": 10, "test": 300}
DRAWS = 3
# Everything at once, in a world of this test.
PLANTED = {
    "glaucoma_rates": {"race=black": 0.8, "race=asian": 0.3},
    "cup_shift": {"black": 0.09},
    "background_shift": {"black": -0.1},
    "noise": {"asian": 0.1, "black": 0.2, "white": 0.05},
}


@pytest.fixture(scope="module")
def plan():
    world = PLAN.worlds["fair"].model_copy(update={"settings": PLANTED})
    common = PLAN.common_settings | SMALL
    return PLAN.model_copy(update={"common_settings": common, "worlds": {"everything": world}})


@pytest.fixture(scope="module")
def draws(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("draws")
    settings = FundusSettings(**plan.common_settings | PLANTED)
    tables, raw = {}, {}
    for draw in range(DRAWS):
        name = f"world-everything-draw-{draw}"
        raw[name], tables[name] = str(folder / name), str(folder / f"{name}.parquet")
        generate_world("fundus", settings, draw, raw[name])
        harvard_fairvlmed.load(raw[name]).to_parquet(tables[name])
    return tables, raw


@pytest.fixture(scope="module")
def built(plan, draws):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "read_analysis_plan", lambda: plan)
        return worlds.build(*draws)


# For rates and ratios five standard errors. Vessels make the noise differ by some percent.
TOLERANCES = {worlds.RATE: 0.13, worlds.CUP: 0.04, worlds.BACKGROUND: 0.012, worlds.SMALLEST: 0}


def test_what_is_planted_is_recovered(built):
    frame, _ = built
    means = frame[frame["draw"] == "all"]
    assert means["quantity"].nunique() == 5
    for row in means.itertuples():
        tolerance = TOLERANCES.get(row.quantity, 0.06 * row.planted)
        assert row.recovered == pytest.approx(row.planted, abs=tolerance), row
        # Sizes of groups are exact in every draw.
        assert row.low < row.recovered < row.high or row.quantity == worlds.SMALLEST


def test_planted_values_are_those_of_the_settings(built):
    frame, _ = built
    planted = frame[frame["draw"] == "0"].set_index(["quantity", "group"])["planted"]
    assert planted[worlds.RATE, "black"] == 0.8
    assert planted[worlds.RATE, "white"] == FundusSettings().glaucoma_rate
    assert planted[worlds.CUP, "black"] == 0.09
    assert planted[worlds.CUP, "asian"] == 0
    assert planted[worlds.BACKGROUND, "black"] == -0.1
    assert planted[worlds.NOISE, "black"] == 0.2
    assert planted[worlds.SMALLEST, "all"] == 0.1 * SMALL["test"]


def test_the_row_of_all_draws_is_their_mean(built):
    frame, _ = built
    rate = frame[(frame["quantity"] == worlds.RATE) & (frame["group"] == "black")]
    values = rate.loc[rate["draw"] != "all", "recovered"]
    assert len(values) == DRAWS
    [mean] = rate.loc[rate["draw"] == "all", "recovered"]
    assert mean == pytest.approx(values.mean())


def test_ratios_are_compared_within_labels():
    """Glaucoma is more frequent in one group, the ratio given the label is the same in both."""
    people = pd.DataFrame(
        {
            "race": pd.Categorical(["white"] * 4 + ["black"] * 4),
            "glaucoma": [0, 0, 0, 1, 0, 1, 1, 1],
        }
    )
    ratios = pd.Series(np.where(people["glaucoma"] == 1, 0.7, 0.4))
    assert worlds.compare_within_labels(ratios, people)["black"] == pytest.approx(0)


def test_the_page_names_the_unfairness_of_a_world(built):
    _, page = built
    assert "## everything" in page
    assert "Unfairness: none is planted." in page
    assert "| rate of glaucoma | black | 0.800 |" in page


def test_another_dataset_is_refused():
    with pytest.raises(UserError, match="adult: no draw of a world of the analysis plan; known: fair, gap"):
        worlds.build({"adult": "table.parquet"}, {"adult": "raw"})
